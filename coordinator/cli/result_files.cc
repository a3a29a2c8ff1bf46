#include "coordinator/cli/result_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "coordinator/report/result_charts.h"

namespace lrtune {
namespace {

// Replaces `path` in one step: who reads it sees the old or the new file, never a part.
Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path part = path.string() + ".part";
  std::ofstream stream(part, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) std::filesystem::rename(part, path, error);
  if (!stream || error) {
    return fail(fmt::format("cannot write {}: {}", path.string(),
                            error ? error.message() : std::strerror(errno)));
  }
  return {};
}

}  // namespace

Result<std::vector<std::filesystem::path>> write_result_files(const CampaignResults& results,
                                                              const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::string>> files{
      {"ranking.json", to_json(results).dump(2) + '\n'},
      {"results.csv", to_csv(results)},
  };
  if (!results.top(1).empty()) {
    files.emplace_back("best.yaml", best_policy_yaml(results));
    files.emplace_back("learning-rate.svg", to_svg(learning_rate_chart(results)));
    files.emplace_back("accuracy.svg", to_svg(accuracy_chart(results)));
    files.emplace_back("loss.svg", to_svg(loss_chart(results)));
  }
  if (std::string series = m_opt_csv(results); !series.empty())
    files.emplace_back("m-opt.csv", std::move(series));
  for (const PolicyResult* policy : results.top(kPlottedPolicies)) {
    if (policy->search.m_opt().empty()) continue;
    files.emplace_back(fmt::format("m-opt-trial-{}.svg", policy->search.trial.id.value),
                       to_svg(m_opt_chart(results, *policy)));
  }
  return write_files(files, folder);
}

Result<std::vector<std::filesystem::path>> write_files(
    const std::vector<std::pair<std::string, std::string>>& files,
    const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& [name, text] : files) {
    paths.push_back(folder / name);
    if (auto written = write_file(paths.back(), text); !written) {
      return tl::unexpected(written.error());
    }
  }
  return paths;
}

}  // namespace lrtune

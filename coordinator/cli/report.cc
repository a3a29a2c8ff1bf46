#include "coordinator/cli/report.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/report/report_page.h"
#include "coordinator/report/result_charts.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {
namespace {

struct ReportOptions {
  std::string store = "lrtune.db";
  std::string campaign;
  std::string output;  // empty: none
  std::string html;    // likewise
  bool json = false;
};

Result<CampaignResults> results_of(const ReportOptions& options) {
  const auto queries = PolicyQueries::open(options.store);
  if (!queries) return tl::unexpected(queries.error());
  const auto found = queries->campaign_in_store(options.campaign);
  if (!found) return tl::unexpected(found.error());
  return collect_results(found->stored, found->campaign);
}

// Nothing is written unless all of it can be.
std::optional<Error> write_reports(const ReportOptions& options, const CampaignResults& results) {
  if (!options.output.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.output, error);
    if (error)
      return Error{fmt::format("cannot make the folder {}: {}", options.output, error.message())};
    if (auto files = write_result_files(results, options.output); !files) return files.error();
  }
  if (options.html.empty()) return std::nullopt;
  const std::filesystem::path page(options.html);
  const std::filesystem::path folder = page.has_parent_path() ? page.parent_path() : ".";
  auto written = write_files({{page.filename().string(), report_page(results)}}, folder);
  return written ? std::nullopt : std::optional(written.error());
}

int report(const ReportOptions& options) {
  const auto results = results_of(options);
  if (!results) {
    say("lrtune report: {}\n", results.error().message);
    return kExitBadInput;
  }
  if (const auto error = write_reports(options, *results)) {
    say("lrtune report: {}\n", error->message);
    return kExitFailure;
  }
  std::string text;
  if (options.json) {
    text = to_json(*results).dump(2) + '\n';
  } else {
    const std::string best = best_policy_yaml(*results);
    text = fmt::format("Campaign {}: {}\n\n{}", results->campaign.id.value, state_line(*results),
                       results_text(*results, terminal_of(1)));
    if (!best.empty()) text += '\n' + best;
  }
  return write_data(text) ? kExitDone : kExitFailure;
}

}  // namespace

void add_report_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "report", "A campaign's ranked tables and plots, out of the store; also while it runs");
  const auto options = std::make_shared<ReportOptions>();
  command
      ->add_option("CAMPAIGN", options->campaign, "Its number, name or the beginning of its hash")
      ->required();
  command->add_option("--store", options->store, "The policy store")
      ->type_name("FILE")
      ->capture_default_str();
  command
      ->add_option("--output", options->output,
                   "Write results.csv, ranking.json, best.yaml and plots there, as lrtune run does")
      ->type_name("FOLDER");
  command->add_option("--html", options->html, "Write all of it as one page")->type_name("FILE");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = report(*options); });
}

}  // namespace lrtune

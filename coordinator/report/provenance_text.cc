#include "coordinator/report/provenance_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

#include "coordinator/report/terminal.h"

namespace lrtune {
namespace {

// UTC, so that teams in different places read the same.
std::string when(WallMillis at) {
  if (at == 0) return "not ended";
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(at / 1000)));
}

nlohmann::json to_json(const Provenance& one) {
  return {
      {"campaign", one.campaign.value},
      {"campaign_name", one.campaign_name},
      {"experiment", one.experiment.hex()},
      {"imported_from",
       one.imported_from.empty() ? nlohmann::json(nullptr) : nlohmann::json(one.imported_from)},
      {"seed", one.seed},
      {"worker", one.worker},
      {"attempt", one.attempt},
      {"ended_at", one.ended_at},
      {"data", one.data.hex()},
      {"numerics", to_json(one.numerics)},
      {"from_state", one.from_state.hex()},
      {"realised_by", one.realised_by == 0 ? nlohmann::json() : nlohmann::json(one.realised_by)}};
}

}  // namespace

std::string provenance_comments(const std::vector<Provenance>& all, bool colour) {
  std::string text;
  const auto put = [&](const std::string& line) { text += paint(line, Ink::kDim, colour) + '\n'; };
  if (!all.empty()) put("#");
  for (const Provenance& one : all) {
    put(fmt::format("# trial {}: {}campaign {} ({}{}), seed {}, {}, {}, {}", one.trial.value,
                    one.realised_by == 0 ? std::string()
                                         : fmt::format("realised by policy {}, ", one.realised_by),
                    one.campaign.value, one.campaign_name,
                    one.imported_from.empty() ? "" : ", from the store " + one.imported_from,
                    one.seed, one.worker.empty() ? "no worker" : "worker " + one.worker,
                    words(one.numerics), when(one.ended_at)));
  }
  return text;
}

void add_provenance(nlohmann::json& entries, const std::vector<Provenance>& all) {
  for (nlohmann::json& entry : entries) {
    for (nlohmann::json& run : entry["runs"]) {
      for (const Provenance& one : all) {
        if (run["trial"] == one.trial.value) run["provenance"] = to_json(one);
      }
    }
  }
}

}  // namespace lrtune

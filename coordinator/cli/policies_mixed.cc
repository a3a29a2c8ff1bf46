#include "coordinator/cli/policies_mixed.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "coordinator/cli/policies_text.h"
#include "coordinator/ranking/mix.h"

namespace lrtune {
namespace {

std::vector<Measured> measured(const std::vector<PolicyEntry>& entries) {
  std::vector<Measured> all;
  for (const PolicyEntry& entry : entries) all.push_back({entry.scores, entry.plan.iterations});
  return all;
}

std::vector<PolicyEntry> pick(std::vector<PolicyEntry>& entries,
                              const std::vector<std::size_t>& order, std::size_t limit) {
  std::vector<PolicyEntry> picked;
  for (const std::size_t index : order) {
    if (limit == 0 || picked.size() < limit) picked.push_back(std::move(entries[index]));
  }
  return picked;
}

nlohmann::json mix_json(const std::optional<Mix>& mix) {
  if (!mix) return nullptr;
  return {{"utility", mix->utility},
          {"cost", mix->cost},
          {"robustness", mix->robustness},
          {"mixed", mix->mixed}};
}

}  // namespace

Result<std::string> mixed_text(std::vector<PolicyEntry> entries, const MixedView& view,
                               const Terminal& terminal) {
  const std::vector<Measured> all = measured(entries);
  if (view.weights.empty()) {
    std::vector<std::size_t> front = pareto_front(all);
    std::stable_sort(front.begin(), front.end(), [&](std::size_t a, std::size_t b) {
      return all[a].scores.top1.mean > all[b].scores.top1.mean;
    });
    const auto picked = pick(entries, front, view.limit);
    return view.json ? policies_json(picked, view.at).dump(2) + "\n"
                     : policies_table(picked, true, terminal);
  }
  const auto weights = weights_from_text(view.weights);
  if (!weights) return tl::unexpected(weights.error());
  const auto mixes = mix(all, *weights);
  const auto order = rank_mixed(mixes);
  const auto picked = pick(entries, order, view.limit);
  if (!view.json) {
    std::string text = policies_table(picked, true, terminal);
    for (std::size_t i = 0; i < picked.size(); ++i) {
      if (const auto& one = mixes[order[i]]) {
        text +=
            fmt::format("rank {}: mix {:.4f} of utility {:.4f}, cost {:.4f}, robustness {:.4f}\n",
                        i + 1, one->mixed, one->utility, one->cost, one->robustness);
      }
    }
    return text;
  }
  nlohmann::json json = policies_json(picked, view.at);
  for (std::size_t i = 0; i < picked.size(); ++i) json[i]["mix"] = mix_json(mixes[order[i]]);
  return json.dump(2) + "\n";
}

}  // namespace lrtune

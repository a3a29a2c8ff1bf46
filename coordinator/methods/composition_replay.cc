#include "coordinator/methods/composition_replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "coordinator/methods/compose_plan.h"
#include "coordinator/methods/composition.h"

namespace lrtune {

using nlohmann::json;

Result<json> composition_again(const StoredState& stored, const DecisionRecord& composed) try {
  const json recorded = composed.numbers.json();
  const auto searched = recorded.at("composed_in").get<std::string>();
  const auto trial = std::ranges::find(stored.trials, composed.trial, &TrialRecord::id);
  const auto home = std::ranges::find(stored.campaigns, composed.campaign, &CampaignRecord::id);
  const auto search = std::ranges::find_if(
      stored.campaigns, [&](const CampaignRecord& one) { return one.hash.hex() == searched; });
  if (search == stored.campaigns.end()) {
    return fail(fmt::format("campaign {}, which it was composed in, is not in the store",
                            searched.substr(0, 8)));
  }
  const auto paths = collect_results(stored, search->hash);
  if (!paths) return tl::unexpected(paths.error());
  const auto compared = collect_results(stored, home->hash);
  if (!compared) return tl::unexpected(compared.error());
  const auto composite = composite_of(*paths);
  if (composite != trial->policy) {
    return fail(fmt::format("the best path was {}, and would now be {}", describe(trial->policy),
                            composite ? describe(*composite) : "none"));
  }
  json made = composition_numbers(judge_composition(*composite, *compared), *paths);
  // How it came about is no judgement.
  for (const char* key : {"method", "rate_low", "rate_high", "range_tested_in"}) {
    if (recorded.contains(key)) made[key] = recorded.at(key);
  }
  return made;
} catch (const json::exception&) {
  return fail("its record cannot be read: a number is missing, or is of another kind");
}

}  // namespace lrtune

// What `lrtune compose` found, from the results of its campaigns (compose_plan.h), and how it is
// told. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/policy/policy.h"
#include "coordinator/core/records.h"
#include "coordinator/methods/compose_plan.h"
#include "coordinator/report/results.h"

namespace lrtune {

enum class CompositionVerdict : std::uint8_t {
  kBetter,     // than every other, by the mean over new seeds
  kBeaten,     // another is ahead
  kUnchanged,  // the search's best path never changes its function: no composite
  kFailed,     // no run of the composite ended well
};
std::string_view name_of(CompositionVerdict verdict);  // "better", "beaten", "unchanged", "failed"

struct Composition {
  CompositionVerdict verdict = CompositionVerdict::kFailed;
  Policy composite;
  nlohmann::json best;      // what is ahead of all; the composite if it is better
  nlohmann::json policies;  // outcome_json() of each that ended well, best first
  int others = 0;           // that it was compared with, whatever became of them
  // Those that did not end well, in words: "FIX k0=50: diverged at 3".
  std::vector<std::string> failed;
  // Of the composite and the best of the others: settled_json(), negative if that one is ahead.
  nlohmann::json settled;
  std::string measure;  // "top1" or "loss"
};

// `composed`: of the campaign that composed_experiment() makes, whose trial of number 0 is the
// composite's.
Composition judge_composition(const Policy& composite, const CampaignResults& composed);

// "Range ...; Search ...; the comparison; what to do with it": for people. `search`: of the
// campaign that composing_experiment() makes.
std::string composition_text(const Composition& composition, const CampaignResults& search,
                             const CampaignResults& composed, const ComposeSettings& settings,
                             const ComposeRange& range);
nlohmann::json to_json(const Composition& composition, const CampaignResults& search,
                       const CampaignResults& composed, const ComposeSettings& settings,
                       const ComposeRange& range);

// What the judgement rests on, flat, as its record has it: the numbers of the composite and of what
// is ahead, and the search by its hash. `lrtune replay` makes it again.
nlohmann::json composition_numbers(const Composition& composition, const CampaignResults& search);
// How it came about, for the same record: method, rates, and the range test by its hash.
nlohmann::json composition_origin(const ComposeSettings& settings, const ComposeRange& range);

}  // namespace lrtune

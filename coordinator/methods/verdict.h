// What the phases of a verification say of a policy (Wu & Liu, section 4.2): from the results of
// their campaigns (verify_plan.h) to the verdict and how it is told. Pure: the same results give
// the same verdict, which is how `lrtune replay` makes it again.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/methods/range_test_plan.h"
#include "coordinator/methods/verify_plan.h"
#include "coordinator/report/results.h"

namespace lrtune {

enum class Verdict : std::uint8_t {
  kVerified,  // it meets the target
  kReplaced,  // another is better
  kBest,      // it misses the target, and nothing better was found
};
std::string_view name_of(Verdict verdict);  // "verified", "replaced", "best"

struct Judgement {
  Verdict verdict = Verdict::kBest;
  int phase = 1;         // that decided
  bool decided = false;  // no further phase is needed
  nlohmann::json policy;
  std::optional<nlohmann::json> replacement;
  bool replacement_meets = false;                   // the target
  nlohmann::json phases = nlohmann::json::array();  // the numbers of each, in order
  std::vector<MoptValue> m_opt;                     // of the policy in phase 1; empty: not measured
  // The campaigns that it rests on, by their hashes, which other stores know them by too.
  std::optional<Digest> compared_in;
  std::optional<Digest> range_tested_in;
  std::optional<Digest> generated_in;
};

// Whether the search trial met the target, and where.
bool met(const PolicyResult& result);

// The same of the mean over its repeats, if it was repeated.
bool meets(const PolicyResult& result, const Target& target);

// Adds a comparison's numbers as `phase`; true if another policy than `policy` came out best, which
// is then the replacement.
bool judge(Judgement& judgement, int phase, const Policy& policy, const CampaignResults& results,
           const Target& target);

// ---- the phases, in this order, each if the judgement is not decided before it

// Phase 1, of `policy`, whose run in `results` is `alone`.
Judgement judge_alone(const nlohmann::json& policy, const PolicyResult& alone,
                      const CampaignResults& results, const VerifySettings& settings);

// Phase 2: a comparison with `stored` policies, if they are enough; what is said if they are not.
bool enough_to_compare(std::size_t stored, const VerifySettings& settings);
void judge_too_few(Judgement& judgement, std::size_t stored, const RunPlan& plan,
                   const VerifySettings& settings);
void judge_comparison(Judgement& judgement, const Policy& policy, const CampaignResults& results,
                      const VerifySettings& settings);

// Phase 3: the range test, what it gives to compare with - generated policies, M-opt's schedule,
// then the best that phase 2 has found, or else the few that were `stored` - and the comparison.
// With none of them the judgement is decided.
std::vector<nlohmann::json> judge_range(Judgement& judgement, const RangeReport& report,
                                        const Digest& range_test, std::uint64_t seed,
                                        std::vector<nlohmann::json> stored,
                                        const VerifySettings& settings);
void judge_generated(Judgement& judgement, const Policy& policy, const CampaignResults& results,
                     const VerifySettings& settings);

// ---- how it is told

std::string verdict_text(const Judgement& judgement, const VerifySettings& settings);
nlohmann::json to_json(const Judgement& judgement, const VerifySettings& settings);

// What the verdict rests on, flat, as its record has it: the numbers of the last comparison,
// M-opt's agreement, the campaigns and the settings by which it can be made again. `judged`: the
// policy.
nlohmann::json verdict_numbers(const Judgement& judgement, const VerifySettings& settings,
                               const Policy& judged);

}  // namespace lrtune

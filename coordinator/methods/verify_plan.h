// Verification of a policy in three phases (Wu & Liu, section 4.2): the campaigns that it takes and
// what their results say. Pure.
//   1. The policy is trained; if it meets the target, it is verified.
//   2. Else it is compared with the best stored policies that meet the target, for the same data
//      set or network, side by side: one that beats it and meets the target replaces it.
//   3. If there is none, or too few are stored: a range test, candidates generated from it and
//      composed like the paper's, the schedule that M-opt recommends, and the same comparison, with
//      those that are stored.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/result.h"
#include "coordinator/ranking/published.h"
#include "coordinator/report/results.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {

struct VerifySettings {
  Target target;
  int top = 3;           // stored policies that it is compared with: 3 to 5
  int repeats = 2;       // new seeds for each policy that is compared
  int candidates = 12;   // generated
  bool compare = false;  // compare even if the target is met
  bool m_opt = true;     // measure it of the policies that are judged
};

// ---- the campaigns; errors: a policy, by its key

// All of `policies` (documents of one policy each), trained as `experiment` says. With
// settings.m_opt M-opt is measured as often as `experiment` says or, if it does not, as
// m_opt_interval() does; else it is not measured.
Result<Experiment> trial_experiment(const Experiment& experiment,
                                    std::span<const nlohmann::json> policies,
                                    const VerifySettings& settings);
// `policy` and stored ones, each with settings.repeats new seeds. M-opt is measured as `experiment`
// says, so that what was trained by it before serves again.
Result<Experiment> comparison_experiment(const Experiment& experiment, const nlohmann::json& policy,
                                         std::span<const nlohmann::json> stored,
                                         const VerifySettings& settings);
// The same with generated ones, which nobody has trained: M-opt is measured as in trial_experiment,
// whose run of `policy` serves again.
Result<Experiment> generation_experiment(const Experiment& experiment, const nlohmann::json& policy,
                                         std::span<const nlohmann::json> generated,
                                         const VerifySettings& settings);
// Iterations between values of M-opt: a hundredth of the run, at least 3 and at most the paper's
// 250, but so many that no more values than are allowed lie between two evaluations. 250 where the
// file does not tell how many iterations the run has. REQUIRES: `train` holds no domain.
std::int64_t m_opt_interval(const Experiment& experiment);
// The schedule that M-opt recommends, as a candidate with the name "M-opt" and rates of four
// digits. Nothing if it recommends none.
std::optional<nlohmann::json> m_opt_candidate(std::span<const MoptValue> series);
// ---- what is stored

struct Rival {
  nlohmann::json policy;
  std::string description;
  double value = 0;    // of the target's measure, the mean over its runs
  std::string reason;  // "the same data set and network" ...
};

// What a stored policy must have done to be one.
struct RivalSearch {
  std::string dataset;                       // this, or the model, or both
  std::string model;                         // likewise
  std::string optimizer;                     // the same: another one's rates are others
  Part evaluated_on;                         // the same
  Target target;                             // met by a run ...
  std::int64_t iterations = 0;               // ... within so many iterations
  std::optional<double> max_seconds = {};    // ... and seconds
  std::set<CampaignId> made_by_itself = {};  // whose runs do not count: own_campaigns()
};

// What verifying `policies` with `experiment` has made, its phase 1 in the campaign `first`
// included: what a verification trains is none of the stored policies that it compares with, so
// that one which was interrupted, or is run again, finds the same, and what else is verified in the
// same command changes nothing.
std::set<CampaignId> own_campaigns(const StoredState& stored, const Experiment& experiment,
                                   CampaignId first, std::span<const Policy> policies);

// `entries`: with scores that count to search.target (PolicyFilter::target). Best first: those with
// data set and network in common before those with the data set, and these before those with the
// network. None of `judged` - the policy, and the schedule that it realised - and no reactive ones,
// whose schedules stand beside them.
std::vector<Rival> rivals(std::span<const PolicyEntry> entries, const RivalSearch& search,
                          std::span<const Policy> judged, std::size_t top);

// The same of the starting content, whose figures are published and not measured: by top-1 alone,
// named by where they stand.
std::vector<Rival> published_rivals(std::span<const PublishedPolicy> published,
                                    const RivalSearch& search, const Policy& policy,
                                    std::size_t top);

}  // namespace lrtune

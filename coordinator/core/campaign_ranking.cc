#include "coordinator/core/campaign_ranking.h"

#include <algorithm>
#include <map>
#include <set>

#include "coordinator/tuning/verification.h"

namespace lrtune {

Scores scores_of_run(const TrialRecord& trial, std::span<const MetricPoint> points,
                     std::optional<OutcomeKind> outcome) {
  const bool ended = outcome && trial.state != TrialState::kStopped;
  return score(points, ended ? *outcome : OutcomeKind::kStopped, trial.plan.target);
}

std::vector<std::size_t> order_of_candidates(const Experiment& experiment,
                                             std::span<const Scores> scores,
                                             std::span<const std::int64_t> lengths) {
  std::vector<std::size_t> order = rank(scores, experiment.rank_by, experiment.rank_at);
  return has_rungs(experiment.method) ? by_rung(std::move(order), scores, lengths) : order;
}

bool is_repeatable(const TrialRecord& candidate, const Scores& scores,
                   std::optional<std::int64_t> whole) {
  const std::int64_t iterations = candidate.plan.iterations;
  return scores.ended_well && scores.measured && iterations == whole.value_or(iterations);
}

std::vector<TrialId> without_repetition(std::span<const TrialRecord* const> ranked) {
  std::vector<TrialId> distinct;
  std::set<JobId> seen;
  for (const TrialRecord* trial : ranked) {
    if (seen.insert(trial->job).second) distinct.push_back(trial->id);
  }
  return distinct;
}

RankedRepeats rank_repeats(const Experiment& experiment, std::span<const JudgedRepeat> repeats) {
  RankedRepeats ranked;
  std::map<TrialId, std::vector<Scores>> of_policy;
  for (const JudgedRepeat& repeat : repeats) {
    auto& scores = of_policy[repeat.trial->verifies];
    if (scores.empty()) ranked.verified.push_back(repeat.trial->verifies);
    scores.push_back(repeat.scores);
  }
  for (const TrialId id : ranked.verified)
    ranked.combined.push_back(combine(of_policy.at(id), experiment.rank_at));
  ranked.order = rank_repeated(ranked.combined, experiment.rank_by);
  return ranked;
}

OrderSoFar order_so_far(const Experiment& experiment, std::span<const JudgedRepeat> repeats) {
  std::map<TrialId, std::vector<double>> values;  // of those that always ended well
  std::map<TrialId, std::uint32_t> made;
  for (const JudgedRepeat& repeat : repeats) {
    const TrialId policy = repeat.trial->verifies;
    made[policy] = std::max(made[policy], repeat.trial->repeat);
    const auto value = ranked_value(repeat.scores, experiment.rank_by, experiment.rank_at);
    if (value) values[policy].push_back(*value);
  }
  std::vector<TrialId> policies;
  std::vector<std::vector<double>> compared;
  for (auto& [id, of_policy] : values) {
    if (of_policy.size() != made.at(id)) continue;  // its place is at the end
    policies.push_back(id);
    compared.push_back(std::move(of_policy));
  }
  const OrderOptions options{.alpha = *experiment.verify_settled,
                             .min_repeats = kFirstRepeats,
                             .max_repeats = experiment.verify_repeats};
  OrderSoFar so_far{settled_order(compared, options), {}};
  for (const std::size_t place : so_far.order.repeat)
    so_far.next.push_back({policies[place], made.at(policies[place]) + 1});
  return so_far;
}

}  // namespace lrtune

// How a campaign ranks its runs: one place for the core, which has them in its state, and for who
// makes its rankings again from the store. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/config/experiment.h"
#include "common/training.h"
#include "coordinator/core/records.h"
#include "coordinator/ranking/ranking.h"
#include "coordinator/tuning/settled_order.h"

namespace lrtune {

// What the trial is judged by. `points`: of its job, ascending; `outcome`: of the same, nothing if
// it has not ended.
Scores scores_of_run(const TrialRecord& trial, std::span<const MetricPoint> points,
                     std::optional<OutcomeKind> outcome);

// Indices of the search's candidates, best first. `lengths`: of their runs, in iterations.
std::vector<std::size_t> order_of_candidates(const Experiment& experiment,
                                             std::span<const Scores> scores,
                                             std::span<const std::int64_t> lengths);

// Whether a verification may repeat the candidate. `whole`: the iterations of a whole run, if runs
// have several lengths: repeats compare whole runs.
bool is_repeatable(const TrialRecord& candidate, const Scores& scores,
                   std::optional<std::int64_t> whole);

// Trials that share a job are one policy, and repeating it twice would tell nothing: only the first
// of them stays. In the order of `ranked`.
std::vector<TrialId> without_repetition(std::span<const TrialRecord* const> ranked);

// A repeat of a verification, which outlives this, and what it is judged by.
struct JudgedRepeat {
  const TrialRecord* trial;
  Scores scores;
};

// By policy, which its search trial stands for.
struct RankedRepeats {
  std::vector<TrialId> verified;         // in the order of `repeats`
  std::vector<RepeatedScores> combined;  // of each
  std::vector<std::size_t> order;        // of them, best first
};
RankedRepeats rank_repeats(const Experiment& experiment, std::span<const JudgedRepeat> repeats);

// Of a verification until the order is settled: which policies need one repeat more.
// `experiment.verify_settled` has a value.
struct OrderSoFar {
  SettledOrder order;
  struct NextRepeat {
    TrialId policy;
    std::uint32_t repeat = 0;
  };
  std::vector<NextRepeat> next;
};
OrderSoFar order_so_far(const Experiment& experiment, std::span<const JudgedRepeat> repeats);

}  // namespace lrtune

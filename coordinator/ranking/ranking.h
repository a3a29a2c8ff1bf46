// Utility, cost and robustness of trials, and their order. Formulas: docs/METRICS.md, paper
// section 3. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/flat_json.h"
#include "common/training.h"

namespace lrtune {

// What one ended trial is judged by. Only `ended_well` has a meaning if it diverged or failed
// before the first evaluation (`measured` false).
struct Scores {
  bool ended_well = false;                       // neither diverged nor failed
  bool measured = false;                         // has a point
  MetricPoint best;                              // highest evaluated top-1; the earliest of equals
  MetricPoint lowest_loss;                       // lowest evaluated loss; the earliest of equals
  MetricPoint final;                             // the last point
  std::optional<std::int64_t> target_iteration;  // first evaluated iteration that meets the target
  double seconds = 0;                            // training and evaluation
  double target_seconds = 0;                     // the same until the target; 0 if not met
  // Robustness: train loss minus evaluated loss at `at` (best or final), as LRBench. 0 is best.
  double loss_difference(RankAt at) const;
};

// `points` ascending by iteration.
Scores score(std::span<const MetricPoint> points, OutcomeKind outcome,
             const std::optional<Target>& target);

// Indices of `scores`, best first. Trials that did not end well come last, unmeasured ones after
// measured ones; equals keep their order. top1: higher first; loss: lower; cost: earlier target,
// those that never met it after all that did, by top-1; robustness: smaller |loss difference|;
// seconds: as cost, by the seconds to the target.
std::vector<std::size_t> rank(std::span<const Scores> scores, RankBy by, RankAt at);

// An order of rank() where runs have several lengths, in iterations and by index: of those that
// ended well the longer ones come first, since halving has preferred them to the others.
std::vector<std::size_t> by_rung(std::vector<std::size_t> order, std::span<const Scores> scores,
                                 std::span<const std::int64_t> lengths);

// What `by` ranks by as one number, higher first; nothing if the run did not end well or never met
// the target that `by: cost` and `by: seconds` count to.
std::optional<double> ranked_value(const Scores& scores, RankBy by, RankAt at);

// A policy's repeats together: mean and sample standard deviation (n-1; 0 for one).
struct MeanAndDeviation {
  double mean = 0;
  double deviation = 0;
};
MeanAndDeviation mean_and_deviation(std::span<const double> values);

struct RepeatedScores {
  int repeats = 0;
  int ended_well = 0;
  int met_target = 0;
  MeanAndDeviation top1, loss, target_iteration, target_seconds, seconds,
      loss_difference;  // over repeats that ended well
};
RepeatedScores combine(std::span<const Scores> repeats, RankAt at);

// A policy's runs with its rates scaled, scale 1 among them if it was asked for.
struct Tolerance {
  int scales = 0;
  int ended_well = 0;
  // Best top-1 over the scales that ended well; nothing if none did.
  std::optional<MeanAndDeviation> top1;
  std::optional<double> lowest_top1;
};
Tolerance tolerance(std::span<const Scores> scaled);

// Indices, best first, by the means; policies with a repeat that did not end well come last, then
// (for cost and seconds) those that met the target in fewer repeats.
std::vector<std::size_t> rank_repeated(std::span<const RepeatedScores> scores, RankBy by);

// What policies are sorted by: the smaller is better, compared from the front.
using RankKey = std::array<double, 4>;
RankKey rank_key(const RepeatedScores& scores, RankBy by);

// Flat JSON for RankingRecord::scores and --json output (keys: top1, top1_iteration, loss,
// final_top1, target_iteration or null, seconds, loss_difference ...; repeated: top1_mean,
// top1_deviation ...).
nlohmann::json to_json(const Scores& scores, RankAt at);
// The same with more entries, at once as text.
FlatJson to_flat_json(const Scores& scores, RankAt at, std::span<const FlatJson::Entry> more = {});
nlohmann::json to_json(const RepeatedScores& scores);
nlohmann::json to_json(const Tolerance& tolerance);

}  // namespace lrtune

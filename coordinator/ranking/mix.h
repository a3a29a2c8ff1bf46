// Ranking by several measures at once (docs/METRICS.md, "A weighted mix" and "The Pareto view").
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/ranking/ranking.h"

namespace lrtune {

// One policy with its run's length, which bounds what a target that was never met costs.
struct Measured {
  RepeatedScores scores;
  std::int64_t iterations = 0;
};

// At least 0, one above 0.
struct Weights {
  double utility = 0;
  double cost = 0;
  double robustness = 0;
};

// "utility=1,cost=0.5": measures that are left out weigh 0.
Result<Weights> weights_from_text(const std::string& text);

// What a policy is compared by, each 0 to 1 within `all` (1: the best of them), and their weighted
// mean. Nothing for a policy of which a run did not end well.
struct Mix {
  double utility = 0;
  double cost = 0;
  double robustness = 0;
  double mixed = 0;
};
std::vector<std::optional<Mix>> mix(std::span<const Measured> all, const Weights& weights);

// Indices, best mix first; equals keep their order, those without a mix come last.
std::vector<std::size_t> rank_mixed(std::span<const std::optional<Mix>> mixes);

// Whether all its runs ended well, so that it is compared at all.
bool comparable(const Measured& one);

// What it costs in comparisons: the mean iterations to the target, or twice the run's if a run
// missed it (or there was none), more than any that met it.
double compared_cost(const Measured& one);

// Indices of those that no other beats: none is at least as good in top-1, iterations to the
// target and |loss difference|, and better in one. In the order of `all`; policies of which a run
// did not end well are left out.
std::vector<std::size_t> pareto_front(std::span<const Measured> all);

}  // namespace lrtune

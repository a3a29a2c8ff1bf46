// The tree-structured Parzen estimator (Bergstra et al. 2011, section 4) over the conditional space
// of an experiment: which policy, and each of its and `train`'s holes. A proposal is a pure
// function of what it is given; all its chance is counter-based, keyed (experiment.seed, number).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/config/experiment.h"
#include "coordinator/search/search_point.h"

namespace lrtune {

struct TpeOptions {
  std::int64_t startup =
      10;              // with fewer results than these, proposals are points of a Sobol sequence
  double good = 0.15;  // share of the results that count as good, rounded up; above 0, below 1
  int draws =
      24;  // candidates drawn from the density of the good; the one with the highest score wins
};

struct Observation {
  SearchPoint point;
  std::optional<double> value;  // higher is better, finite; none: it diverged or failed
};

struct TpeProposal {
  SearchPoint point;
  // What was known: results and points without one, and how many results counted as good. 0 good: a
  // startup point.
  std::int64_t observed = 0;
  std::int64_t pending = 0;
  std::int64_t good = 0;
  double score = 0;  // log(l(x) / g(x)); 0 for a startup point
  bool operator==(const TpeProposal&) const = default;
};

// Proposal `number`, 0 or more. Good are the best `options.good` of the observations with a value;
// bad are the others, those without a value, and the pending ones, so that proposals side by side
// do not crowd (a constant liar that says "bad"). Each draw takes the policy and then each of its
// holes from the densities of the good, given the policy, and is scored by log l/g over them. Lists
// of numbers in order are cells of an interval, other lists have no order. A draw that is already
// known or pending is passed over as long as there are others: training it again would tell
// nothing. The order of `observed` matters only between equal values, where the earlier one is the
// better.
TpeProposal tpe_proposal(const Experiment& experiment, std::span<const Observation> observed,
                         std::span<const SearchPoint> pending, std::uint64_t number,
                         const TpeOptions& options = {});

}  // namespace lrtune

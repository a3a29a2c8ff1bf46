// `{from: range-test}` in the policies of an experiment's file: rates that an LR range test found
// (docs/EXPERIMENTS.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

// Bounds of good learning rates, as an LR range test found them: 0 < lower < upper.
struct RateRange {
  double lower = 0;
  double upper = 0;
};
// For whoever reads a file for its `train` and `run` alone.
inline constexpr RateRange kAnyRateRange = {.lower = 0.001, .upper = 0.01};

// As experiment_from_yaml, with the bounds of `range` in the place of each `{from: range-test}`. If
// there is one, the error of `range`, why there are no bounds, is told with its place.
Result<Experiment> experiment_from_yaml(const std::string& text, const std::string& file,
                                        const Result<RateRange>& range);

// Whether policies of a file that experiment_from_yaml can read take rates from a range test.
bool takes_range_test(const std::string& text);

// Puts the bounds of `range` in the place of each `{from: range-test}` under search.policies: k0 of
// cyclic functions and k1 of poly become the lower bound, k1 of cyclic functions and k0 of decaying
// ones the upper, k0 of fix their geometric mean; as the bounds of a domain it becomes both. Gives
// their number. Errors, with a path: another parameter, functions mixed that take different bounds,
// and if there is one, the error of `range`.
Result<int> fill_from_range_test(nlohmann::json& experiment, const Result<RateRange>& range);

}  // namespace lrtune

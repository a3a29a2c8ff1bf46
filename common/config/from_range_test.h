// `{from: range-test}` in the policies of an experiment's file: what an LR range test found
// (docs/EXPERIMENTS.md).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

// What an LR range test found for a training, and what follows from it for a run of some length
// (coordinator/tuning/range_test.h).
struct RangeFinding {
  double lower = 0;  // bounds of good learning rates: 0 < lower < upper
  double upper = 0;
  double gamma = 0;                  // from upper to lower within the run
  std::int64_t half_cycle = 0;       // l, iterations: whole cycles fill the run
  std::int64_t half_cycle_low = 0;   // where to search for l
  std::int64_t half_cycle_high = 0;  // at least that; if it is the same, there is nothing to search
};
// For whoever reads a file for its `train` and `run` alone.
inline constexpr RangeFinding kAnyRangeFinding = {.lower = 0.001,
                                                  .upper = 0.01,
                                                  .gamma = 0.999,
                                                  .half_cycle = 1,
                                                  .half_cycle_low = 1,
                                                  .half_cycle_high = 2};

// As experiment_from_yaml, with what `range` has in the place of each `{from: range-test}`. If
// there is one, the error of `range`, why nothing was found, is told with its place.
Result<Experiment> experiment_from_yaml(const std::string& text, const std::string& file,
                                        const Result<RangeFinding>& range);

// Whether policies of a file that experiment_from_yaml can read take anything from a range test.
bool takes_range_test(const std::string& text);

// Puts what `range` has in the place of each `{from: range-test}` under search.policies: k0 of
// cyclic functions and k1 of poly become the lower bound, k1 of cyclic functions and k0 of decaying
// ones the upper, k0 of fix their geometric mean; as the bounds of a domain it becomes both. l of
// cyclic functions becomes the half cycle, or {int: ...} where to search for it; gamma of exp and
// of the *exp functions that of the finding. Gives their number. Errors, with a path: another
// parameter or function, functions mixed that take different bounds, and if there is one, the error
// of `range`.
Result<int> fill_from_range_test(nlohmann::json& experiment, const Result<RangeFinding>& range);

}  // namespace lrtune

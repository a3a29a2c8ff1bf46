// `{from: range-test}` in the policies of an experiment's file: rates that an LR range test found
// (docs/EXPERIMENTS.md). Inside of common/config.
#pragma once

#include <nlohmann/json.hpp>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

// Puts the bounds of `range` in the place of each `{from: range-test}` under search.policies: k0 of
// cyclic functions and k1 of poly become the lower bound, k1 of cyclic functions and k0 of decaying
// ones the upper, k0 of fix their geometric mean; as the bounds of a domain it becomes both. Gives
// their number. Errors, with a path: another parameter, functions mixed that take different bounds,
// and if there is one, the error of `range`.
Result<int> fill_from_range_test(nlohmann::json& experiment, const Result<RateRange>& range);

}  // namespace lrtune

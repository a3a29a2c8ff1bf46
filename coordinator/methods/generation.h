// Policies that nobody has trained, generated from where a range test says that rates are worth
// searching: candidates of `verify`, and what `compose` holds a composite against. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "coordinator/methods/range_test_plan.h"
#include "coordinator/tuning/range_test.h"

namespace lrtune {

// How ranges are tested for a run of `iterations`: over a tenth and a fifth of it.
RangeTestSettings generation_range(std::int64_t iterations);
// Candidates for a run of estimate's length: FIX, decaying and cyclic functions, drawn at random
// within the range, and a composite like the paper's best (Tables 3 and 7): high cycles for six
// sevenths of the run, then a tenth of them, then a hundredth.
std::vector<nlohmann::json> generated_policies(const ParameterEstimate& estimate,
                                               std::int64_t iterations, std::uint64_t seed,
                                               int count);

// Rates from `low` to `high` of four digits, even in the logarithm, as an experiment's domain; one
// rate where they are the same.
nlohmann::json rates_between(double low, double high);

// Of a range test that could tell a bound or not: then around the best fixed rate. Nothing if no
// rate learned anything.
std::optional<ParameterEstimate> estimate_of(const RangeReport& report);

}  // namespace lrtune

// From a place in the unit interval to a value of a domain. Pure, the same bits on every machine.
#pragma once

#include <nlohmann/json.hpp>

#include "common/config/experiment.h"

namespace lrtune {

// The value at `unit`, 0 <= unit < 1: growing with it through an interval (log: in the logarithm), and each choice or
// whole number has an equal share of the unit interval, in their order.
nlohmann::json value_at(const Domain& domain, double unit);

}  // namespace lrtune

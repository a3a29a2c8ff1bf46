// From a place in the unit interval to a value of a domain. Pure, the same bits on every machine.
#pragma once

#include <nlohmann/json.hpp>

#include "common/config/experiment.h"

namespace lrtune {

// A value as a number: the place in the list of a choice, else the value itself. That at `unit`, 0
// <= unit < 1: growing with it (log: evenly in the logarithm), and each choice or whole number has
// an equal share of the unit interval, in their order.
double coordinate_at(const Domain& domain, double unit);
nlohmann::json value_of(const Domain& domain, double coordinate);
nlohmann::json value_at(const Domain& domain, double unit);

// The other way: where in [0, 1] a coordinate lies; the middle of its share for a choice or a whole
// number.
double unit_of(const Domain& domain, double coordinate);

}  // namespace lrtune

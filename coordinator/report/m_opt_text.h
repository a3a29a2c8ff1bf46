// M-opt for people and programs: its agreement with what was applied, the schedule that it
// recommends, and the series itself.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "common/training.h"

namespace lrtune {

// {"agreement": {...} or null, "recommended": policy or null, "values": [[iteration, rate, M-opt or
// null], ...]}. REQUIRES: the series is not empty.
nlohmann::json m_opt_json(std::span<const MoptValue> series);

// A line, and the recommended policy as YAML if there is one: "M-opt: 40 values, ...".
std::string m_opt_words(std::span<const MoptValue> series);

}  // namespace lrtune

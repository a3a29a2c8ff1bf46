// Lengths in iterations or epochs. Inside of common/policy; others call length_from_json.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/policy/policy_json.h"

namespace lrtune {

// As length_from_json, with the least iterations that are allowed.
Result<std::int64_t> read_length_from(const nlohmann::json& json, const PolicyContext& context,
                                      const std::string& what, const std::string& path,
                                      std::int64_t least);

// A length that is written as a whole number of iterations from `least` to 2^53; none if it has
// another form, of which read_length_from says what it is.
std::optional<std::int64_t> plain_iterations(const nlohmann::json& json, std::int64_t least);

}  // namespace lrtune

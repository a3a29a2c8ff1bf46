// Lengths in iterations or epochs. Inside of common/policy; others call length_from_json.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/policy/policy_json.h"

namespace lrtune {

// As length_from_json, with the least iterations that are allowed.
Result<std::int64_t> read_length_from(const nlohmann::json& json, const PolicyContext& context,
                                      const std::string& what, const std::string& path,
                                      std::int64_t least);

}  // namespace lrtune

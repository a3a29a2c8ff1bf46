// The JSON form of reactive policies. Inside of common/policy; others call policy_from_json and
// to_json.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "common/policy/policy.h"
#include "common/policy/policy_json.h"
#include "common/result.h"

namespace lrtune {

// A run turns to each function at most twice, once on the way up the list and once down: what it
// has applied is then a policy of the usual size.
inline constexpr std::size_t kMostFunctions = 64;
inline constexpr std::size_t kMostBoundariesOfFunctions = kMostBoundaries / 2;

// Reads one LR function of the list at a path.
using ReadFunction =
    std::function<Result<LrFunction>(const nlohmann::json& json, const std::string& path)>;

Result<Plateau> plateau_from_json(const nlohmann::json& json, const PolicyContext& context,
                                  const std::string& path, const ReadFunction& read);

// Without the functions.
nlohmann::json settings_of(const Plateau& plateau);

}  // namespace lrtune

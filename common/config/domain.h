// The text form of domains. Inside of common/config.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

// Reads a list or one of {choice: [...]}, {log: [a, b]}, {uniform: [a, b]}, {int: [a, b]}. `key`
// names the parameter in errors; `list_values`: the values are lists (nstep's l), else scalars.
Result<Domain> domain_from_json(const nlohmann::json& json, const std::string& key,
                                bool list_values, const std::string& path);

}  // namespace lrtune

// `train.model`: the network.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "common/result.h"

namespace lrtune {

// In an experiment a name alone, "lenet", or a mapping with the key `name`.
struct ModelSpec {
  std::string name;
  bool operator==(const ModelSpec&) const = default;
};

std::span<const std::string> known_models();

nlohmann::json to_json(const ModelSpec& model);
// Errors name the key; keys: docs/EXPERIMENTS.md.
Result<ModelSpec> model_from_json(const nlohmann::json& json, const std::string& path = {});

}  // namespace lrtune

// `train.model`: the network.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "common/result.h"

namespace lrtune {

// In an experiment a name alone, "lenet", or a map with the key `name` and the network's own.
struct ModelSpec {
  std::string name;         // one of known_models()
  std::int64_t hidden = 0;  // mlp: units of the layer inside
  double dropout = 0;       // mlp: share of them that a training step leaves out, [0, 1)
  bool operator==(const ModelSpec&) const = default;
};

std::span<const std::string> known_models();

// A network without keys of its own is its name; otherwise all keys are written out.
nlohmann::json to_json(const ModelSpec& model);
// Errors name the key; keys: docs/EXPERIMENTS.md.
Result<ModelSpec> model_from_json(const nlohmann::json& json, const std::string& path = {});

}  // namespace lrtune

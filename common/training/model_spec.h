// `train.model`: the network.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "common/result.h"

namespace lrtune {

// The name of a network that a user brings, as a file.
inline constexpr const char* kTorchscript = "torchscript";

// In an experiment a name alone, "lenet", or a map with the key `name` and the network's own.
struct ModelSpec {
  std::string name;         // one of known_models()
  std::int64_t hidden = 0;  // mlp: units of the layer inside
  double dropout = 0;       // mlp: share of them that a training step leaves out, [0, 1)
  // torchscript: its file, in a folder that the worker trusts. Not part of the identity, which has
  // the digest of its contents (DataFacts::network).
  std::string file = {};
  // torchscript: whether it takes images in channels-last memory. Faster, but such a network may
  // not use view() on maps.
  bool channels_last = false;
  bool operator==(const ModelSpec&) const = default;
};

std::span<const std::string> known_models();
// Those that need no file.
std::span<const std::string> built_in_models();

// For people: "lenet", "torchscript nets/own.pt".
std::string label(const ModelSpec& model);

// A network without keys of its own is its name; otherwise all keys are written out.
nlohmann::json to_json(const ModelSpec& model);
// Errors name the key; keys: docs/EXPERIMENTS.md.
Result<ModelSpec> model_from_json(const nlohmann::json& json, const std::string& path = {});

}  // namespace lrtune

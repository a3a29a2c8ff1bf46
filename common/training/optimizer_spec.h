// `train.optimizer`: how gradients change the parameters.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "common/result.h"

namespace lrtune {

// V is the velocity, g the gradient with weight decay, eta the rate. They differ whenever eta
// changes.
enum class MomentumStyle : std::uint8_t {
  kPaper,  // V = m*V - eta*g; theta += V      (paper, formula 2; Caffe)
  kTorch,  // V = m*V + g;     theta -= eta*V  (PyTorch)
};

struct OptimizerSpec {
  std::string name = "sgd";  // "sgd", "momentum"
  MomentumStyle style = MomentumStyle::kPaper;
  double momentum = 0;      // [0, 1)
  double weight_decay = 0;  // L2, added to the gradient; at least 0
  bool operator==(const OptimizerSpec&) const = default;
};

nlohmann::json to_json(const OptimizerSpec& optimizer);
// Errors name the key; keys: docs/EXPERIMENTS.md.
Result<OptimizerSpec> optimizer_from_json(const nlohmann::json& json, const std::string& path = {});

}  // namespace lrtune

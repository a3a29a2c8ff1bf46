// `train.optimizer`: how gradients change the parameters. Names, formulas and defaults are
// PyTorch's (worker/training/optimizers.h), but for momentum's `paper` style.
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

// A setting that the optimizer has not stays 0; optimizer_from_json fills the defaults in.
struct OptimizerSpec {
  std::string name = "sgd";                     // one of known_optimizers()
  MomentumStyle style = MomentumStyle::kPaper;  // momentum
  double momentum = 0;                          // momentum, nesterov, rmsprop: [0, 1)
  double weight_decay = 0;  // L2, added to the gradient; adamw: apart from it; at least 0
  double beta1 = 0;         // adam, adamw: of the mean of gradients, [0, 1)
  double beta2 = 0;         // adam, adamw: of the mean of their squares, [0, 1)
  double alpha = 0;         // rmsprop: of the mean of squares, [0, 1)
  double rho = 0;           // adadelta: of both means, [0, 1)
  double eps = 0;  // adam, adamw, adagrad, rmsprop, adadelta: added to the divisor; above 0
  double initial_accumulator_value = 0;  // adagrad: the sum of squares starts with it; at least 0
  bool operator==(const OptimizerSpec&) const = default;
};

std::span<const std::string> known_optimizers();

// The keys that the optimizer called `name` takes beside its name and that have a default, with it.
// An unknown name has none.
nlohmann::json optimizer_defaults(const std::string& name);

// Every setting that the optimizer has, defaults too.
nlohmann::json to_json(const OptimizerSpec& optimizer);
// Errors name the key; keys: docs/EXPERIMENTS.md.
Result<OptimizerSpec> optimizer_from_json(const nlohmann::json& json, const std::string& path = {});

}  // namespace lrtune

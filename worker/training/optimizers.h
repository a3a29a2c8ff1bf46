// Optimizers: one step of all parameters from their gradients. eta is the run's learning rate times
// the parameter's factor, w its weight decay times the parameter's factor, g the gradient, V the
// velocity:
//   sgd              theta <- theta - eta*(g + w*theta)
//   momentum, paper  V <- m*V - eta*(g + w*theta);  theta <- theta + V      (Wu & Liu, formula 2;
//   Caffe) momentum, torch  V <- m*V + g + w*theta;        theta <- theta - eta*V  (PyTorch,
//   without Nesterov)
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/result.h"
#include "common/training.h"
#include "worker/training/models.h"

namespace lrtune {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // `gradients`: one for each parameter, in their order; left as they are. Changes the parameters
  // in place. `iteration` counts from 0; moments are corrected for it, so it is no state.
  virtual void step(std::span<const at::Tensor> gradients, double rate, std::int64_t iteration) = 0;

  // What steps change beside the parameters, in an order and with names that depend on the
  // parameters alone. The tensors are those in use: writing into them restores a state.
  virtual std::vector<NamedTensor> state() const = 0;
};

// Keeps the parameters' tensors, not the span. Errors: the optimizer's name is not known.
Result<std::unique_ptr<Optimizer>> make_optimizer(const OptimizerSpec& spec,
                                                  std::span<const Parameter> parameters);

}  // namespace lrtune

// Optimizers: one step of all parameters from their gradients. eta is the run's learning rate times
// the parameter's factor, w its weight decay times the parameter's factor, G the gradient,
// g = G + w*theta, n the number of the step from 1; squares, roots and divisions are by element.
//
//   sgd              theta -= eta*g
//   momentum, paper  V = m*V - eta*g;  theta += V              (Wu & Liu, formula 2; Caffe)
//   momentum, torch  V = m*V + g;      theta -= eta*V          (PyTorch's SGD)
//   nesterov         V = m*V + g;      theta -= eta*(g + m*V)  (PyTorch's SGD with nesterov)
//   adam             M = b1*M + (1-b1)*g;  S = b2*S + (1-b2)*g^2
//                    theta -= eta/(1-b1^n) * M / (sqrt(S/(1-b2^n)) + eps)
//   adamw            theta -= eta*w*theta; then adam with g = G
//   adagrad          S = S + g^2;  theta -= eta*g / (sqrt(S) + eps)
//   rmsprop          S = a*S + (1-a)*g^2;  V = m*V + g / (sqrt(S) + eps);  theta -= eta*V
//   adadelta         S = r*S + (1-r)*g^2;  d = g * sqrt(D + eps) / sqrt(S + eps)
//                    D = r*D + (1-r)*d^2;  theta -= eta*d
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

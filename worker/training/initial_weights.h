// What networks start from: random weights as a function of (seed, number of the parameter).
#pragma once

#include <cstdint>
#include <optional>

#include "worker/training/draws.h"
#include "worker/training/torch_headers.h"

namespace lrtune {

// Standard normal draws by Box and Muller's formula, with the logarithm and sine of
// common/policy/portable_math.h, so that their bits are the same on every machine:
// sqrt(-2 ln u) * cos(a), then the same with sin(a); u = 1 - draws.unit(), a = 2 pi * draws.unit().
class NormalDraws {
 public:
  explicit NormalDraws(Draws draws) : draws_(draws) {}
  double next();

 private:
  Draws draws_;
  std::optional<double> second_;
};

// Makes trained tensors, one parameter of a network after the other: leaves of the graph, in
// channels-last memory if they have four dimensions. Parameter number i takes its values from
// Draws("weights", seed, i) in the order of its shape, outputs x inputs [x rows x columns]; they
// are drawn in double on the CPU, so every device starts from the same.
class InitialWeights {
 public:
  InitialWeights(std::uint64_t seed, at::Device device, at::ScalarType type)
      : seed_(seed), options_(at::TensorOptions(type).device(device)) {}

  // fan_in is the product of all sizes but the first.
  at::Tensor xavier(at::IntArrayRef shape);  // uniform in +-sqrt(3 / fan_in), as Caffe does
  at::Tensor uniform(at::IntArrayRef shape, double bound);  // in +-bound
  at::Tensor normal(at::IntArrayRef shape, double deviation);
  at::Tensor constant(at::IntArrayRef shape, double value);

  const at::TensorOptions& options() const { return options_; }

 private:
  Draws next_draws() { return {"weights", seed_, number_++}; }
  at::Tensor trained(const at::Tensor& values) const;

  std::uint64_t seed_;
  at::TensorOptions options_;
  std::uint64_t number_ = 0;
};

// The product of all sizes but the first; and that with outputs in place of inputs.
double fan_in(at::IntArrayRef shape);
double fan_out(at::IntArrayRef shape);

}  // namespace lrtune

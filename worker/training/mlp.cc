#include "worker/training/mlp.h"

#include <cmath>
#include <span>

#include "worker/training/draws.h"
#include "worker/training/initial_weights.h"

namespace lrtune {
namespace {

// What hidden units are multiplied with in a training pass: 0 with the chance `dropout`, else
// 1 / (1 - dropout). Drawn on the CPU, unit after unit, from ("dropout", seed, iteration).
at::Tensor dropout_factors(const at::Tensor& like, double dropout, const ForwardPass& pass) {
  Draws draws("dropout", pass.seed, static_cast<std::uint64_t>(pass.iteration));
  const auto zeros_below = static_cast<std::uint64_t>(std::ldexp(dropout, 64));
  const double kept = 1 / (1 - dropout);
  at::Tensor factors = at::empty(like.sizes(), at::kDouble);
  for (double& factor :
       std::span(factors.mutable_data_ptr<double>(), static_cast<std::size_t>(factors.numel()))) {
    factor = draws.bits() < zeros_below ? 0 : kept;
  }
  return factors.to(like.options());
}

class Mlp final : public Model {
 public:
  Mlp(const ModelSpec& spec, const ImageShape& shape, InitialWeights weights, double width)
      : dropout_(spec.dropout) {
    const std::int64_t hidden = narrowed(spec.hidden, width);
    const auto add_layer = [&](const std::string& name, at::IntArrayRef sizes) {
      parameters_.push_back({name + ".weight", weights.xavier(sizes)});
      parameters_.push_back({name + ".bias", weights.constant(sizes[0], 0)});
    };
    add_layer("hidden", {hidden, shape.channels * shape.rows * shape.columns});
    add_layer("output", {shape.classes, hidden});
  }

  at::Tensor logits(const at::Tensor& inputs, const ForwardPass& pass) override {
    at::Tensor x = at::relu(at::linear(inputs.flatten(1), value(0), value(1)));
    if (pass.training && dropout_ > 0) x = x * dropout_factors(x, dropout_, pass);
    return at::linear(x, value(2), value(3));
  }

  bool same_work_each_pass() const override { return dropout_ == 0; }

 private:
  const double dropout_;
};

}  // namespace

std::unique_ptr<Model> make_mlp(const ModelSpec& spec, const ImageShape& shape,
                                const InitialWeights& weights, double width) {
  return std::make_unique<Mlp>(spec, shape, weights, width);
}

}  // namespace lrtune

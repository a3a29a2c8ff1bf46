#include "worker/training/lenet.h"

#include <fmt/format.h>

#include <utility>

#include "worker/training/initial_weights.h"

namespace lrtune {
namespace {

constexpr std::int64_t kKernel = 5;
constexpr std::int64_t kFirstMaps = 20;
constexpr std::int64_t kSecondMaps = 50;
constexpr std::int64_t kHidden = 500;
constexpr double kBiasRate = 2;  // Caffe: lr_mult 1 for weights, 2 for biases

// Pixels a side after both convolutions and poolings; 28 -> 4.
std::int64_t reduced(std::int64_t side) { return ((side - kKernel + 1) / 2 - kKernel + 1) / 2; }

class Lenet final : public Model {
 public:
  Lenet(const ImageShape& shape, InitialWeights weights, double width) {
    const std::int64_t first = narrowed(kFirstMaps, width);
    const std::int64_t second = narrowed(kSecondMaps, width);
    const std::int64_t hidden = narrowed(kHidden, width);
    const auto add_layer = [&](const std::string& name, at::IntArrayRef sizes) {
      parameters_.push_back({name + ".weight", weights.xavier(sizes)});
      parameters_.push_back({name + ".bias", weights.constant(sizes[0], 0), kBiasRate});
    };
    add_layer("conv1", {first, shape.channels, kKernel, kKernel});
    add_layer("conv2", {second, first, kKernel, kKernel});
    add_layer("ip1", {hidden, second * reduced(shape.rows) * reduced(shape.columns)});
    add_layer("ip2", {shape.classes, hidden});
  }

  at::Tensor logits(const at::Tensor& inputs, const ForwardPass&) override {
    at::Tensor x = at::max_pool2d(at::conv2d(inputs, value(0), value(1)), {2, 2}, {2, 2});
    x = at::max_pool2d(at::conv2d(x, value(2), value(3)), {2, 2}, {2, 2});
    x = at::relu(at::linear(x.flatten(1), value(4), value(5)));
    return at::linear(x, value(6), value(7));
  }
};

}  // namespace

std::optional<Error> check_lenet(const ModelSpec&, const ImageShape& shape) {
  if (reduced(shape.rows) >= 1 && reduced(shape.columns) >= 1) return std::nullopt;
  return Error{fmt::format("lenet needs images of at least 16x16 pixels, not {}x{}", shape.rows,
                           shape.columns)};
}

std::unique_ptr<Model> make_lenet(const ModelSpec&, const ImageShape& shape,
                                  const InitialWeights& weights, double width) {
  return std::make_unique<Lenet>(shape, weights, width);
}

}  // namespace lrtune

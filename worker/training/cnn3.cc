#include "worker/training/cnn3.h"

#include <fmt/format.h>

#include "worker/training/initial_weights.h"
#include "worker/training/within_channel_norm.h"

namespace lrtune {
namespace {

constexpr std::int64_t kKernel = 5;
constexpr std::int64_t kPad = 2;
constexpr std::int64_t kWindow = 3;  // of pooling
constexpr std::int64_t kStride = 2;
constexpr std::int64_t kFirstMaps = 32;
constexpr std::int64_t kThirdMaps = 64;
constexpr std::int64_t kLeastSide = 8;  // smaller images have nothing left for the third pooling
constexpr double kNormAlpha = 5e-5;
constexpr double kFullDecay = 250;

// Pixels a side after a pooling.
std::int64_t pooled(std::int64_t side) { return (side - kWindow + kStride - 1) / kStride + 1; }
std::int64_t reduced(std::int64_t side) { return pooled(pooled(pooled(side))); }

at::Tensor average(const at::Tensor& x) {
  return at::avg_pool2d(x, kWindow, kStride, /*padding=*/0, /*ceil_mode=*/true);
}

class Cnn3 final : public Model {
 public:
  Cnn3(const ImageShape& shape, InitialWeights weights, double width) {
    const std::int64_t first = narrowed(kFirstMaps, width);
    const std::int64_t third = narrowed(kThirdMaps, width);
    const auto add_layer = [&](const std::string& name, at::IntArrayRef sizes, double deviation,
                               double bias_rate, double weight_decay, double bias_decay) {
      parameters_.push_back({name + ".weight", weights.normal(sizes, deviation), 1, weight_decay});
      parameters_.push_back({name + ".bias", weights.constant(sizes[0], 0), bias_rate, bias_decay});
    };
    add_layer("conv1", {first, shape.channels, kKernel, kKernel}, 1e-4, 2, 1, 1);
    add_layer("conv2", {first, first, kKernel, kKernel}, 0.01, 2, 1, 1);
    add_layer("conv3", {third, first, kKernel, kKernel}, 0.01, 1, 1, 1);
    add_layer("ip1", {shape.classes, third * reduced(shape.rows) * reduced(shape.columns)}, 0.01, 2,
              kFullDecay, 0);
  }

  at::Tensor logits(const at::Tensor& inputs, const ForwardPass&) override {
    at::Tensor x = convolved(inputs, 0);
    x = at::max_pool2d(x, kWindow, kStride, /*padding=*/0, /*dilation=*/1, /*ceil_mode=*/true);
    x = within_channel_norm(x.relu_(), kNormAlpha);
    x = within_channel_norm(average(convolved(x, 2).relu_()), kNormAlpha);
    x = average(convolved(x, 4).relu_());
    return at::linear(x.flatten(1), value(6), value(7));
  }

 private:
  at::Tensor convolved(const at::Tensor& x, std::size_t layer) const {
    return at::conv2d(x, value(layer), value(layer + 1), /*stride=*/1, kPad);
  }
};

}  // namespace

std::optional<Error> check_cnn3(const ModelSpec&, const ImageShape& shape) {
  if (shape.rows >= kLeastSide && shape.columns >= kLeastSide) return std::nullopt;
  return Error{fmt::format("cnn3 needs images of at least {0}x{0} pixels, not {1}x{2}", kLeastSide,
                           shape.rows, shape.columns)};
}

std::unique_ptr<Model> make_cnn3(const ModelSpec&, const ImageShape& shape,
                                 const InitialWeights& weights, double width) {
  return std::make_unique<Cnn3>(shape, weights, width);
}

}  // namespace lrtune

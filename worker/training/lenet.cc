#include "worker/training/lenet.h"

#include <fmt/format.h>

#include <utility>

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
  Lenet(const ImageShape& shape, std::uint64_t seed, at::Device device) {
    const std::int64_t features = kSecondMaps * reduced(shape.rows) * reduced(shape.columns);
    const auto add_layer = [&](const std::string& name, at::IntArrayRef weights) {
      const auto index = static_cast<std::uint64_t>(parameters_.size());
      parameters_.push_back({name + ".weight", xavier_weights(weights, seed, index, device)});
      parameters_.push_back({name + ".bias", zero_biases(weights[0], device), kBiasRate});
    };
    add_layer("conv1", {kFirstMaps, shape.channels, kKernel, kKernel});
    add_layer("conv2", {kSecondMaps, kFirstMaps, kKernel, kKernel});
    add_layer("ip1", {kHidden, features});
    add_layer("ip2", {shape.classes, kHidden});
  }

  at::Tensor logits(const at::Tensor& inputs, const ForwardPass&) override {
    const auto value = [this](std::size_t i) -> const at::Tensor& { return parameters_[i].value; };
    at::Tensor x = at::max_pool2d(at::conv2d(inputs, value(0), value(1)), {2, 2}, {2, 2});
    x = at::max_pool2d(at::conv2d(x, value(2), value(3)), {2, 2}, {2, 2});
    x = at::relu(at::linear(x.flatten(1), value(4), value(5)));
    return at::linear(x, value(6), value(7));
  }
};

}  // namespace

std::optional<Error> check_lenet(const ImageShape& shape) {
  if (reduced(shape.rows) >= 1 && reduced(shape.columns) >= 1) return std::nullopt;
  return Error{fmt::format("lenet needs images of at least 16x16 pixels, not {}x{}", shape.rows,
                           shape.columns)};
}

std::unique_ptr<Model> make_lenet(const ImageShape& shape, std::uint64_t seed, at::Device device) {
  return std::make_unique<Lenet>(shape, seed, device);
}

}  // namespace lrtune

#include "worker/training/resnet.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

#include "worker/training/initial_weights.h"

namespace lrtune {
namespace {

constexpr double kStatisticsMomentum = 0.1;
constexpr double kEps = 1e-5;

// What tells the two networks apart.
struct Design {
  std::vector<std::int64_t> maps;  // of each stage; the first convolution has those of the first
  int blocks = 0;                  // in a stage
  std::int64_t first_kernel = 3;
  bool shrinks_at_once = false;  // stride 2 and pooling before the first stage
  bool projects = false;         // shortcuts into a stage: 1x1 convolutions, or zero padding
};

const Design& design32() {
  static const Design design{.maps = {16, 32, 64}, .blocks = 5};
  return design;
}

const Design& design18() {
  static const Design design{.maps = {64, 128, 256, 512},
                             .blocks = 2,
                             .first_kernel = 7,
                             .shrinks_at_once = true,
                             .projects = true};
  return design;
}

std::int64_t halved(std::int64_t side) { return (side + 1) / 2; }

std::int64_t least_pixels(const Design& design, const ImageShape& shape) {
  std::int64_t rows = shape.rows;
  std::int64_t columns = shape.columns;
  const std::size_t halvings = design.maps.size() - 1 + (design.shrinks_at_once ? 2 : 0);
  for (std::size_t i = 0; i < halvings; ++i) {
    rows = halved(rows);
    columns = halved(columns);
  }
  return rows * columns;
}

// Every second pixel; maps that are missing are zeros.
at::Tensor subsampled(const at::Tensor& x, std::int64_t maps) {
  const at::Tensor pixels = x.slice(2, 0, x.size(2), /*step=*/2).slice(3, 0, x.size(3), /*step=*/2);
  return at::constant_pad_nd(pixels, {0, 0, 0, 0, 0, maps - x.size(1)});
}

class ResidualNetwork final : public Model {
 public:
  ResidualNetwork(const Design& design, const ImageShape& shape, InitialWeights weights,
                  double width)
      : design_(design), weights_(std::move(weights)) {
    std::int64_t maps = narrowed(design.maps[0], width);
    const std::int64_t first_stride = design.shrinks_at_once ? 2 : 1;
    first_ = add_layer("conv1", "bn1", maps, shape.channels, design.first_kernel, first_stride);
    for (std::size_t stage = 0; stage < design.maps.size(); ++stage) {
      for (int block = 0; block < design.blocks; ++block) {
        const std::int64_t wider = narrowed(design.maps[stage], width);
        const std::string name = fmt::format("layer{}.{}", stage + 1, block);
        add_block(name, maps, wider, stage > 0 && block == 0 ? 2 : 1);
        maps = wider;
      }
    }
    add_full(maps, shape.classes);
  }

  at::Tensor logits(const at::Tensor& inputs, const ForwardPass& pass) override {
    at::Tensor x = applied(first_, inputs, pass).relu_();
    if (design_.shrinks_at_once) x = at::max_pool2d(x, /*kernel_size=*/3, /*stride=*/2, 1);
    for (const Block& block : blocks_) {
      const at::Tensor shortcut = shortcut_of(block, x, pass);
      x = applied(block.first, x, pass).relu_();
      x = applied(block.second, x, pass).add_(shortcut).relu_();
    }
    const std::size_t full = parameters_.size() - 2;
    return at::linear(x.mean({2, 3}), value(full), value(full + 1));
  }

 private:
  // A convolution without biases and the normalisation after it: three parameters, two buffers.
  struct Layer {
    std::size_t parameter = 0;  // number of the first
    std::size_t buffer = 0;
    std::int64_t stride = 1;
    std::int64_t pad = 0;
  };
  struct Block {
    Layer first;
    Layer second;
    std::optional<Layer> projection;
    std::int64_t maps = 0;
  };

  Layer add_layer(const std::string& convolution, const std::string& norm, std::int64_t outputs,
                  std::int64_t inputs, std::int64_t kernel, std::int64_t stride) {
    const Layer layer{parameters_.size(), buffers_.size(), stride, kernel / 2};
    const std::vector<std::int64_t> sizes{outputs, inputs, kernel, kernel};
    const double fan = design_.projects ? fan_out(sizes) : fan_in(sizes);
    parameters_.push_back({convolution + ".weight", weights_.normal(sizes, std::sqrt(2 / fan))});
    parameters_.push_back({norm + ".weight", weights_.constant(outputs, 1)});
    parameters_.push_back({norm + ".bias", weights_.constant(outputs, 0)});
    buffers_.push_back({norm + ".running_mean", at::zeros(outputs, weights_.options())});
    buffers_.push_back({norm + ".running_var", at::ones(outputs, weights_.options())});
    return layer;
  }

  void add_block(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                 std::int64_t stride) {
    Block block;
    block.maps = outputs;
    block.first = add_layer(name + ".conv1", name + ".bn1", outputs, inputs, 3, stride);
    block.second = add_layer(name + ".conv2", name + ".bn2", outputs, outputs, 3, 1);
    if (design_.projects && stride != 1) {
      block.projection =
          add_layer(name + ".downsample.0", name + ".downsample.1", outputs, inputs, 1, stride);
    }
    blocks_.push_back(block);
  }

  void add_full(std::int64_t inputs, std::int64_t outputs) {
    const auto fan = static_cast<double>(inputs);
    const double bound = std::sqrt(1 / fan);
    const std::vector<std::int64_t> sizes{outputs, inputs};
    parameters_.push_back({"fc.weight", design_.projects
                                            ? weights_.uniform(sizes, bound)
                                            : weights_.normal(sizes, std::sqrt(2 / fan))});
    parameters_.push_back({"fc.bias", design_.projects ? weights_.uniform(outputs, bound)
                                                       : weights_.constant(outputs, 0)});
  }

  at::Tensor applied(const Layer& layer, const at::Tensor& x, const ForwardPass& pass) const {
    const at::Tensor maps = at::conv2d(x, value(layer.parameter), {}, layer.stride, layer.pad);
    return at::batch_norm(maps, value(layer.parameter + 1), value(layer.parameter + 2),
                          buffers_[layer.buffer].value, buffers_[layer.buffer + 1].value,
                          pass.training, kStatisticsMomentum, kEps, /*cudnn_enabled=*/true);
  }

  at::Tensor shortcut_of(const Block& block, const at::Tensor& x, const ForwardPass& pass) const {
    if (block.projection) return applied(*block.projection, x, pass);
    return block.first.stride == 1 ? x : subsampled(x, block.maps);
  }

  const Design& design_;
  InitialWeights weights_;
  Layer first_;
  std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<Model> make_resnet32(const ModelSpec&, const ImageShape& shape,
                                     const InitialWeights& weights, double width) {
  return std::make_unique<ResidualNetwork>(design32(), shape, weights, width);
}

std::unique_ptr<Model> make_resnet18(const ModelSpec&, const ImageShape& shape,
                                     const InitialWeights& weights, double width) {
  return std::make_unique<ResidualNetwork>(design18(), shape, weights, width);
}

std::int64_t least_pixels_resnet32(const ImageShape& shape) {
  return least_pixels(design32(), shape);
}

std::int64_t least_pixels_resnet18(const ImageShape& shape) {
  return least_pixels(design18(), shape);
}

}  // namespace lrtune

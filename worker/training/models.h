// The networks, by name. A model owns its parameters and computes logits; weights are drawn from
// the seed alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "worker/training/torch_headers.h"

namespace lrtune {

// One trained tensor. Its learning rate and weight decay are the run's times these factors.
struct Parameter {
  std::string name;
  at::Tensor value;  // float32, requires a gradient
  double rate = 1;
  double decay = 1;
};

struct ImageShape {
  std::int64_t channels = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int classes = 0;
};

class Model {
 public:
  virtual ~Model() = default;

  // `images`: bytes, samples x channels x rows x columns, on the model's device. Returns float32
  // logits, samples x classes. Preprocessing is the model's.
  virtual at::Tensor logits(const at::Tensor& images) const = 0;

  std::span<const Parameter> parameters() const { return parameters_; }

 protected:
  std::vector<Parameter> parameters_;
};

// Why `name` cannot be trained on such images; nothing if it can.
std::optional<Error> check_model(const std::string& name, const ImageShape& shape);

// Initial weights are a function of (name, shape, seed): parameter number i, in the order of
// parameters(), takes its values in the order samples x channels x rows x columns from
// Draws("weights", seed, i). They are drawn on the CPU, so every device starts from the same.
// Errors: as check_model.
Result<std::unique_ptr<Model>> make_model(const std::string& name, const ImageShape& shape,
                                          std::uint64_t seed, at::Device device);

// ---- for the models themselves
// -----------------------------------------------------------------------------

// Draws uniformly from +-sqrt(3 / fan_in) (Caffe's "xavier"). `shape`: outputs x inputs [x rows x
// columns]; fan_in is the product of all but the first. `index` is the parameter's number.
at::Tensor xavier_weights(at::IntArrayRef shape, std::uint64_t seed, std::uint64_t index,
                          at::Device device);
at::Tensor zero_biases(std::int64_t count, at::Device device);

// Bytes to float32 in channels-last memory, times `scale`. A plain contiguous() leaves images of
// one channel in the other format by name, and pooling then takes seven times as long.
at::Tensor scaled_images(const at::Tensor& images, double scale);

}  // namespace lrtune

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
#include "common/training/model_spec.h"
#include "worker/training/torch_headers.h"

namespace lrtune {

// One trained tensor. Its learning rate and weight decay are the run's times these factors.
struct Parameter {
  std::string name;
  at::Tensor value;  // float32, requires a gradient
  double rate = 1;
  double decay = 1;
};

struct NamedTensor {
  std::string name;
  at::Tensor value;
};

// Which pass a network makes. Random parts (dropout) draw from generators keyed (seed, purpose,
// iteration), so that a pass depends on nothing that ran before it.
struct ForwardPass {
  bool training = false;
  std::uint64_t seed = 0;
  std::int64_t iteration = 0;  // the step that the pass belongs to
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

  // `inputs`: floating point of the model's type, samples x channels x rows x columns in
  // channels-last memory, on the model's device, as InputTransform (input.h) makes them. Returns
  // logits of the same type, samples x classes. A training pass may change buffers (the running
  // statistics of batch normalisation); an evaluation changes nothing.
  virtual at::Tensor logits(const at::Tensor& inputs, const ForwardPass& pass) = 0;

  std::span<const Parameter> parameters() const { return parameters_; }
  // What steps change beside the parameters; with them and the optimizer's state it is all that a
  // checkpoint keeps of a run's tensors.
  std::span<const NamedTensor> buffers() const { return buffers_; }

 protected:
  std::vector<Parameter> parameters_;
  std::vector<NamedTensor> buffers_;
};

// Why `spec` cannot be trained on such images; nothing if it can.
std::optional<Error> check_model(const ModelSpec& spec, const ImageShape& shape);

// Initial weights are a function of (spec, shape, seed): parameter number i, in the order of
// parameters(), takes its values in the order samples x channels x rows x columns from
// Draws("weights", seed, i). They are drawn on the CPU, so every device starts from the same.
// Errors: as check_model.
Result<std::unique_ptr<Model>> make_model(const ModelSpec& spec, const ImageShape& shape,
                                          std::uint64_t seed, at::Device device);

// ---- for the models themselves
// -----------------------------------------------------------------------------

// Draws uniformly from +-sqrt(3 / fan_in) (Caffe's "xavier"). `shape`: outputs x inputs [x rows x
// columns]; fan_in is the product of all but the first. `index` is the parameter's number.
at::Tensor xavier_weights(at::IntArrayRef shape, std::uint64_t seed, std::uint64_t index,
                          at::Device device);
at::Tensor zero_biases(std::int64_t count, at::Device device);

}  // namespace lrtune

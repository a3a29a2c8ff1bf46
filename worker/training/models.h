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
  at::Tensor value;  // floating point of the model's type; requires a gradient
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

  // Whether each training pass is the same work for the device, whatever `pass` says, so that it
  // can be recorded once and repeated.
  virtual bool same_work_each_pass() const { return true; }

  std::span<const Parameter> parameters() const { return parameters_; }
  // What steps change beside the parameters; with them and the optimizer's state it is all that a
  // checkpoint keeps of a run's tensors.
  std::span<const NamedTensor> buffers() const { return buffers_; }

 protected:
  const at::Tensor& value(std::size_t parameter) const { return parameters_[parameter].value; }

  std::vector<Parameter> parameters_;
  std::vector<NamedTensor> buffers_;
};

// Versions of a network that no experiment asks for; parity with PyTorch is tested with them.
struct ModelVariant {
  at::ScalarType type = at::kFloat;  // or at::kDouble
  double width = 1;                  // of every layer inside, as a share; at least one map or unit
};

// Why `spec` cannot be trained on such images in batches of `batch`; nothing if it can. Batch
// normalisation needs two values of each map.
std::optional<Error> check_model(const ModelSpec& spec, const ImageShape& shape,
                                 std::int64_t batch);

// Initial weights are a function of (spec, shape, seed): initial_weights.h. Errors: as check_model.
Result<std::unique_ptr<Model>> make_model(const ModelSpec& spec, const ImageShape& shape,
                                          std::uint64_t seed, at::Device device,
                                          const ModelVariant& variant = {});

// For the models themselves: maps or units of a layer at a share of their number.
std::int64_t narrowed(std::int64_t count, double width);

}  // namespace lrtune

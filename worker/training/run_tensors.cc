#include "worker/training/run_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <string>
#include <utility>

namespace lrtune {
namespace {

std::string type_name(at::ScalarType type) {
  if (type == at::kFloat) return "float32";
  if (type == at::kDouble) return "float64";
  if (type == at::kLong) return "int64";
  return c10::toString(type);
}

std::string words(const std::string& name, const std::string& type,
                  std::span<const std::int64_t> shape) {
  return fmt::format("{} ({}, {})", name, type, fmt::join(shape, "x"));
}

std::string words(const StoredTensor& tensor) {
  return words(tensor.name, tensor.type, tensor.shape);
}

std::string words(const NamedTensor& tensor) {
  return words(tensor.name, type_name(tensor.value.scalar_type()), tensor.value.sizes().vec());
}

}  // namespace

std::vector<NamedTensor> run_tensors(const Model& model, const Optimizer& optimizer) {
  std::vector<NamedTensor> tensors;
  for (const Parameter& parameter : model.parameters())
    tensors.push_back({"parameter/" + parameter.name, parameter.value.detach()});
  for (const NamedTensor& buffer : model.buffers())
    tensors.push_back({"buffer/" + buffer.name, buffer.value});
  for (const NamedTensor& tensor : optimizer.state())
    tensors.push_back({"optimizer/" + tensor.name, tensor.value});
  return tensors;
}

std::vector<StoredTensor> stored(std::span<const NamedTensor> tensors) {
  std::vector<StoredTensor> values;
  for (const NamedTensor& tensor : tensors) {
    // In the order of the shape, whatever the memory format.
    const at::Tensor plain = tensor.value.to(at::kCPU).contiguous();
    values.push_back(
        {.name = tensor.name,
         .type = type_name(plain.scalar_type()),
         .shape = plain.sizes().vec(),
         .bytes = std::string(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes())});
  }
  return values;
}

Result<void> restore(std::span<const StoredTensor> values, std::span<const NamedTensor> tensors) {
  if (values.size() != tensors.size()) {
    return fail(fmt::format("the checkpoint holds {} tensors, the run has {}", values.size(),
                            tensors.size()));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool fits = words(values[i]) == words(tensors[i]) &&
                      values[i].bytes.size() == tensors[i].value.nbytes();
    if (!fits) {
      return fail(fmt::format("the checkpoint holds {} where the run has {}", words(values[i]),
                              words(tensors[i])));
    }
  }
  const at::NoGradGuard no_graph;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const at::Tensor& tensor = tensors[i].value;
    const at::Tensor plain = at::from_blob(const_cast<char*>(values[i].bytes.data()),
                                           tensor.sizes(), at::TensorOptions(tensor.scalar_type()));
    at::Tensor target = tensor;  // the same memory
    target.copy_(plain);
  }
  return {};
}

}  // namespace lrtune

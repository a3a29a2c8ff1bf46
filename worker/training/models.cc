#include "worker/training/models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>

#include "common/json_reader.h"
#include "worker/training/draws.h"
#include "worker/training/lenet.h"

namespace lrtune {
namespace {

struct ModelEntry {
  const char* name;
  std::optional<Error> (*check)(const ImageShape&);
  std::unique_ptr<Model> (*make)(const ImageShape&, std::uint64_t seed, at::Device);
};

constexpr std::array<ModelEntry, 1> kModels{{{"lenet", check_lenet, make_lenet}}};

Result<const ModelEntry*> find_model(const std::string& name) {
  std::vector<std::string> names;
  for (const ModelEntry& entry : kModels) {
    if (name == entry.name) return &entry;
    names.emplace_back(entry.name);
  }
  const auto near = nearest_name(name, names);
  return fail(fmt::format("the model must be one of {}, not '{}'{}", fmt::join(names, ", "), name,
                          near ? fmt::format("; did you mean '{}'?", *near) : ""));
}

// Trained tensors are leaves of the graph, in channels-last memory if they have four dimensions.
at::Tensor trained(const at::Tensor& values, at::Device device) {
  const auto format =
      values.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  at::Tensor tensor =
      at::empty(values.sizes(), at::TensorOptions(at::kFloat).device(device), format);
  tensor.copy_(values);
  return tensor.set_requires_grad(true);
}

}  // namespace

std::optional<Error> check_model(const ModelSpec& spec, const ImageShape& shape) {
  const auto entry = find_model(spec.name);
  if (!entry) return entry.error();
  return (*entry)->check(shape);
}

Result<std::unique_ptr<Model>> make_model(const ModelSpec& spec, const ImageShape& shape,
                                          std::uint64_t seed, at::Device device) {
  if (auto error = check_model(spec, shape)) return tl::unexpected(std::move(*error));
  return (*find_model(spec.name))->make(shape, seed, device);
}

at::Tensor xavier_weights(at::IntArrayRef shape, std::uint64_t seed, std::uint64_t index,
                          at::Device device) {
  Draws draws("weights", seed, index);
  at::Tensor values = at::empty(shape, at::kFloat);
  const double bound =
      std::sqrt(3.0 * static_cast<double>(shape[0]) / static_cast<double>(values.numel()));
  const std::span out(values.data_ptr<float>(), static_cast<std::size_t>(values.numel()));
  for (float& value : out) value = static_cast<float>((2 * draws.unit() - 1) * bound);
  return trained(values, device);
}

at::Tensor zero_biases(std::int64_t count, at::Device device) {
  return trained(at::zeros({count}, at::kFloat), device);
}

}  // namespace lrtune

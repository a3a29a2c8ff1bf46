#include "worker/training/models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "common/json_reader.h"
#include "worker/training/cnn3.h"
#include "worker/training/initial_weights.h"
#include "worker/training/lenet.h"
#include "worker/training/mlp.h"
#include "worker/training/resnet.h"

namespace lrtune {
namespace {

struct ModelEntry {
  const char* name;
  std::unique_ptr<Model> (*make)(const ModelSpec&, const ImageShape&, const InitialWeights&,
                                 double width);
  // Null: every size fits.
  std::optional<Error> (*check)(const ModelSpec&, const ImageShape&) = nullptr;
  // With batch normalisation: the pixels of the smallest maps.
  std::int64_t (*least_pixels)(const ImageShape&) = nullptr;
};

constexpr std::array<ModelEntry, 5> kModels{
    {{"lenet", make_lenet, check_lenet},
     {"cnn3", make_cnn3, check_cnn3},
     {"resnet32", make_resnet32, nullptr, least_pixels_resnet32},
     {"resnet18", make_resnet18, nullptr, least_pixels_resnet18},
     {"mlp", make_mlp}}};

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

std::optional<Error> check_shape(const ModelEntry& entry, const ModelSpec& spec,
                                 const ImageShape& shape) {
  return entry.check == nullptr ? std::nullopt : entry.check(spec, shape);
}

}  // namespace

std::optional<Error> check_model(const ModelSpec& spec, const ImageShape& shape,
                                 std::int64_t batch) {
  const auto entry = find_model(spec.name);
  if (!entry) return entry.error();
  if (auto error = check_shape(**entry, spec, shape)) return error;
  if ((*entry)->least_pixels == nullptr || (*entry)->least_pixels(shape) * batch > 1)
    return std::nullopt;
  return Error{fmt::format(
      "{} has maps of one pixel with images of {}x{}, and batch normalisation needs two "
      "values of each map: the batch must have at least 2 samples, not {}",
      spec.name, shape.rows, shape.columns, batch)};
}

Result<std::unique_ptr<Model>> make_model(const ModelSpec& spec, const ImageShape& shape,
                                          std::uint64_t seed, at::Device device,
                                          const ModelVariant& variant) {
  const auto entry = find_model(spec.name);
  if (!entry) return tl::unexpected(entry.error());
  if (auto error = check_shape(**entry, spec, shape)) return tl::unexpected(std::move(*error));
  return (*entry)->make(spec, shape, InitialWeights(seed, device, variant.type), variant.width);
}

std::int64_t narrowed(std::int64_t count, double width) {
  return std::max(std::int64_t{1}, std::lround(static_cast<double>(count) * width));
}

}  // namespace lrtune

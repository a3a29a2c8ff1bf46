#include "common/training/model_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "common/json_reader.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMostHidden = 65536;
constexpr std::int64_t kDefaultHidden = 128;
constexpr std::size_t kMostFileBytes = 4096;  // Linux's own limit; it travels with each assignment

const std::array<std::string, 2> kMemoryFormats = {"contiguous", "channels_last"};

// A name alone. The error speaks of the key that it stands under.
std::optional<Error> check_name(const std::string& name, const std::string& path) {
  const auto known = known_models();
  if (std::find(known.begin(), known.end(), name) != known.end()) return std::nullopt;
  const auto near = nearest_name(name, known);
  return Error{fmt::format("model of train must be one of {}, not '{}'{}", fmt::join(known, ", "),
                           name, near ? fmt::format("; did you mean '{}'?", *near) : ""),
               path};
}

// Keys of one network alone.
void read_mlp(ObjectReader& reader, ModelSpec& model) {
  model.hidden = reader.integer("hidden", 1, kMostHidden, kDefaultHidden);
  model.dropout = reader.number("dropout", Range::half_open(0, 1), 0);
}

void read_torchscript(ObjectReader& reader, ModelSpec& model) {
  model.file = reader.required_string("file");
  if (model.file.size() > kMostFileBytes) {
    reader.error("file", fmt::format("file of model has {} bytes; at most {} are allowed",
                                     model.file.size(), kMostFileBytes));
  } else if (model.file.empty() && reader.has("file")) {
    reader.error("file", "file of model is empty; it names a TorchScript file");
  }
  model.channels_last =
      reader.one_of("memory_format", kMemoryFormats, kMemoryFormats[0]) == kMemoryFormats[1];
}

struct OwnKey {
  std::string_view key;
  std::string_view model;  // that has it
};
constexpr std::array<OwnKey, 4> kOwnKeys{{{"hidden", "mlp"},
                                          {"dropout", "mlp"},
                                          {"file", kTorchscript},
                                          {"memory_format", kTorchscript}}};

void refuse_keys_of_others(ObjectReader& reader, const std::string& model) {
  for (const OwnKey& own : kOwnKeys) {
    if (own.model != model && reader.has(own.key))
      reader.error(own.key,
                   fmt::format("model {} has no {}; {} has one", model, own.key, own.model));
  }
}

}  // namespace

std::span<const std::string> known_models() {
  static const std::vector<std::string> names = {"lenet",    "cnn3", "resnet32",
                                                 "resnet18", "mlp",  kTorchscript};
  return names;
}

std::span<const std::string> built_in_models() {
  return known_models().first(known_models().size() - 1);
}

std::string label(const ModelSpec& model) {
  return model.file.empty() ? model.name : fmt::format("{} {}", model.name, model.file);
}

nlohmann::json to_json(const ModelSpec& model) {
  if (model.name == kTorchscript) {
    return {{"name", model.name},
            {"file", model.file},
            {"memory_format", kMemoryFormats[model.channels_last ? 1 : 0]}};
  }
  if (model.name != "mlp") return model.name;
  return {{"name", model.name}, {"hidden", model.hidden}, {"dropout", model.dropout}};
}

Result<ModelSpec> model_from_json(const nlohmann::json& json, const std::string& path) {
  if (json.is_string()) {
    if (auto error = check_name(json.get_ref<const std::string&>(), path))
      return tl::unexpected(std::move(*error));
  }
  const nlohmann::json object = json.is_string() ? nlohmann::json{{"name", json}} : json;
  ObjectReader reader(object, path, "model");
  ModelSpec model;
  model.name = reader.one_of("name", known_models());
  refuse_keys_of_others(reader, model.name);
  if (model.name == "mlp") read_mlp(reader, model);
  if (model.name == kTorchscript) read_torchscript(reader, model);
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return model;
}

}  // namespace lrtune

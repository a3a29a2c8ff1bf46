#include "common/training/model_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "common/json_reader.h"

namespace lrtune {
namespace {

constexpr std::int64_t kMostHidden = 65536;
constexpr std::int64_t kDefaultHidden = 128;

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

}  // namespace

std::span<const std::string> known_models() {
  static const std::vector<std::string> names = {"lenet", "cnn3", "resnet32", "resnet18", "mlp"};
  return names;
}

nlohmann::json to_json(const ModelSpec& model) {
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
  if (model.name == "mlp") {
    read_mlp(reader, model);
  } else {
    for (const char* key : {"hidden", "dropout"}) {
      if (reader.has(key))
        reader.error(key, fmt::format("model {} has no {}; mlp has one", model.name, key));
    }
  }
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return model;
}

}  // namespace lrtune

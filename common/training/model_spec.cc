#include "common/training/model_spec.h"

#include <fmt/format.h>

#include <vector>

#include "common/json_reader.h"

namespace lrtune {

std::span<const std::string> known_models() {
  static const std::vector<std::string> names = {"lenet"};
  return names;
}

nlohmann::json to_json(const ModelSpec& model) { return model.name; }

Result<ModelSpec> model_from_json(const nlohmann::json& json, const std::string& path) {
  const nlohmann::json object = json.is_string() ? nlohmann::json{{"name", json}} : json;
  ObjectReader reader(object, path, "model");
  ModelSpec model;
  model.name = reader.one_of("name", known_models());
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return model;
}

}  // namespace lrtune

#include "common/training/dataset_spec.h"

#include <fmt/format.h>

#include <vector>

#include "common/json_reader.h"

namespace lrtune {

namespace {
constexpr std::size_t kMostPathBytes = 4096;  // Linux's own limit; it travels with each assignment
}

std::span<const std::string> known_datasets() {
  static const std::vector<std::string> names = {"mnist",     "fashion-mnist", "cifar-10",
                                                 "cifar-100", "svhn",          "imagefolder"};
  return names;
}

bool is_image_folder(const DatasetSpec& dataset) { return dataset.name == "imagefolder"; }

nlohmann::json to_json(const DatasetSpec& dataset) {
  nlohmann::json json = {{"name", dataset.name}};
  if (!dataset.path.empty()) json["path"] = dataset.path;
  return json;
}

Result<DatasetSpec> dataset_from_json(const nlohmann::json& json, const std::string& path) {
  ObjectReader reader(json, path, "dataset");
  DatasetSpec dataset;
  dataset.name = reader.one_of("name", known_datasets());
  dataset.path = reader.string("path", "");
  if (dataset.path.size() > kMostPathBytes) {
    reader.error("path", fmt::format("path of dataset has {} bytes; at most {} are allowed",
                                     dataset.path.size(), kMostPathBytes));
  }
  if (auto error = reader.finish()) return tl::unexpected(*error);
  return dataset;
}

}  // namespace lrtune

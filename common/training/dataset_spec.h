// `train.dataset`: which images a run learns from.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "common/result.h"

namespace lrtune {

struct DatasetSpec {
  std::string name;  // one of known_datasets()
  std::string
      path;  // folder of its files; empty: searched (docs/EXPERIMENTS.md). Not part of the identity
  bool operator==(const DatasetSpec&) const = default;
};

std::span<const std::string> known_datasets();
// A folder of image files of any size, which are decoded as they are needed; all other sets are
// images of one size, kept in memory.
bool is_image_folder(const DatasetSpec& dataset);

nlohmann::json to_json(const DatasetSpec& dataset);
// Errors name the key; keys: docs/EXPERIMENTS.md.
Result<DatasetSpec> dataset_from_json(const nlohmann::json& json, const std::string& path = {});

}  // namespace lrtune

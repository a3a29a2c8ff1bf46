// Image data sets by name: where they are looked for, and reading each once.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "common/result.h"
#include "common/training.h"
#include "worker/training/dataset.h"

namespace lrtune {

// Environment variables that decide where data are looked for; empty if not set.
struct DataPlaces {
  std::string lrtune_data;     // LRTUNE_DATA
  std::string xdg_cache_home;  // XDG_CACHE_HOME
  std::string home;            // HOME
  static DataPlaces from_environment();
};

// The folder of a data set: spec.path if given; else the first of $LRTUNE_DATA/NAME, $LRTUNE_DATA,
// $XDG_CACHE_HOME/lrtune/NAME (~/.cache/lrtune/NAME) and /usr/share/datasets/NAME that holds its
// first file. In each place the folder that the published archive unpacks to is looked into as
// well. Errors: the name is not known, or no such folder (the message lists all places).
Result<std::filesystem::path> find_dataset(const DatasetSpec& spec, const DataPlaces& places);

// Reads and checks the files of `name` in `folder`; mnist.h, cifar.h, svhn.h and
// image_folder.h say more. Errors
// name the file, what was expected and what was found.
Result<Dataset> load_dataset(const std::string& name, const std::filesystem::path& folder);

// The data sets that this process has read: trials share them. Thread-safe; a folder is read once,
// a failed reading is tried again at the next call.
class DatasetCache {
 public:
  explicit DatasetCache(DataPlaces places) : places_(std::move(places)) {}
  Result<std::shared_ptr<const Dataset>> get(const DatasetSpec& spec);

 private:
  const DataPlaces places_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Dataset>> loaded_;  // by name and folder
};

// What an identity says of `dataset` with this validation share. Errors: as split_training_data.
Result<DataFacts> data_facts(const Dataset& dataset, double validation);

}  // namespace lrtune

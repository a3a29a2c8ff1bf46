// Image data sets: where they are looked for, reading and checking them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/hash.h"
#include "common/result.h"
#include "common/training.h"

namespace lrtune {

struct ImagePart {
  std::vector<std::uint8_t> pixels;  // samples x rows x columns x channels
  std::vector<std::int64_t> labels;  // 0 .. classes-1, one a sample
  std::int64_t samples() const { return std::ssize(labels); }
};

struct Dataset {
  std::string name;
  std::filesystem::path folder;
  std::int64_t channels = 1;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int classes = 0;
  ImagePart train;  // with what a validation share will hold out
  ImagePart test;
  Digest fingerprint;  // SHA-256 over the uncompressed contents of its files, in the order of
                       // kIdxFiles
};

inline constexpr std::string_view kIdxFiles[] = {
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte"};

// Environment variables that decide where data are looked for; empty if not set.
struct DataPlaces {
  std::string lrtune_data;     // LRTUNE_DATA
  std::string xdg_cache_home;  // XDG_CACHE_HOME
  std::string home;            // HOME
  static DataPlaces from_environment();
};

// The folder of a data set: spec.path if given; else the first of $LRTUNE_DATA/NAME, $LRTUNE_DATA,
// $XDG_CACHE_HOME/lrtune/NAME (~/.cache/lrtune/NAME) and /usr/share/datasets/NAME that holds its
// first file, with or without .gz. Errors: the name is not known, or no such folder (the message
// lists all places).
Result<std::filesystem::path> find_dataset(const DatasetSpec& spec, const DataPlaces& places);

// Reads and checks the four files of `name` in `folder`. A file without .gz goes before the one
// with it. Errors name the file, what was expected and what was found.
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

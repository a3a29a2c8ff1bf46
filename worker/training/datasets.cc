#include "worker/training/datasets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "common/json_reader.h"
#include "worker/training/cifar.h"
#include "worker/training/gzip.h"
#include "worker/training/image_folder.h"
#include "worker/training/mnist.h"
#include "worker/training/sampler.h"
#include "worker/training/svhn.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

struct DatasetKind {
  std::string_view name;
  std::string_view
      first_file;  // a folder that has it (or a folder of this name), is taken for the set's
  std::string_view archive;  // the folder that its published archive unpacks to
  bool may_be_gzipped;       // then .gz follows a file's name
  Result<Dataset> (*load)(const fs::path& folder);
};

// The user's folder for what can be found again; empty if there is none.
fs::path cache_folder(const DataPlaces& places) {
  if (!places.xdg_cache_home.empty()) return fs::path(places.xdg_cache_home) / "lrtune";
  return places.home.empty() ? fs::path() : fs::path(places.home) / ".cache" / "lrtune";
}

Result<Dataset> load_imagefolder(const fs::path& folder) {
  const fs::path cache = cache_folder(DataPlaces::from_environment());
  return load_image_folder(folder, cache.empty() ? cache : cache / "digests");
}

constexpr std::array<DatasetKind, 6> kKinds{{
    {"mnist", kIdxFiles[0], "", true, load_mnist},
    {"fashion-mnist", kIdxFiles[0], "", true, load_mnist},
    {"cifar-10", "data_batch_1.bin", "cifar-10-batches-bin", true, load_cifar10},
    {"cifar-100", "train.bin", "cifar-100-binary", true, load_cifar100},
    {"svhn", kSvhnFiles[0], "", false, load_svhn},
    {"imagefolder", "train", "", false, load_imagefolder},
}};

const DatasetKind* kind_named(std::string_view name) {
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [&](const DatasetKind& known) { return known.name == name; });
  return kind == kKinds.end() ? nullptr : &*kind;
}

// The published files. They tell one set from another, whose files have the same names and shapes;
// data of one's own under a known name have none of these fingerprints and are taken as they are.
struct Published {
  std::string_view name;
  std::string_view fingerprint;
};
constexpr std::array<Published, 2> kPublished{{
    {"mnist", "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a"},
    {"fashion-mnist", "14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214"},
}};

std::optional<Error> check_identity(const Dataset& dataset) {
  const std::string fingerprint = dataset.fingerprint.hex();
  for (const Published& known : kPublished) {
    if (known.fingerprint == fingerprint && known.name != dataset.name) {
      return Error{fmt::format("{}: holds the files of {}, not those of {}",
                               dataset.folder.string(), known.name, dataset.name)};
    }
  }
  return std::nullopt;
}

// `place` itself, or the archive's folder in it.
std::optional<fs::path> folder_in(const fs::path& place, const DatasetKind& kind) {
  std::error_code ignored;
  for (const fs::path& folder : {place, place / kind.archive}) {
    if (kind.may_be_gzipped ? existing_file(folder, kind.first_file).has_value()
                            : fs::exists(folder / kind.first_file, ignored)) {
      return folder;
    }
  }
  return std::nullopt;
}

std::vector<fs::path> search_places(const std::string& name, const DataPlaces& places) {
  std::vector<fs::path> folders;
  if (!places.lrtune_data.empty()) {
    folders.push_back(fs::path(places.lrtune_data) / name);
    folders.emplace_back(places.lrtune_data);
  }
  if (const fs::path cache = cache_folder(places); !cache.empty()) folders.push_back(cache / name);
  folders.push_back(fs::path("/usr/share/datasets") / name);
  return folders;
}

}  // namespace

DataPlaces DataPlaces::from_environment() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  return {.lrtune_data = variable("LRTUNE_DATA"),
          .xdg_cache_home = variable("XDG_CACHE_HOME"),
          .home = variable("HOME")};
}

Result<fs::path> find_dataset(const DatasetSpec& spec, const DataPlaces& places) {
  const DatasetKind* kind = kind_named(spec.name);
  if (kind == nullptr) {
    const auto known = known_datasets();
    const auto near = nearest_name(spec.name, known);
    return fail(fmt::format("the data set must be one of {}, not '{}'{}", fmt::join(known, ", "),
                            spec.name, near ? fmt::format("; did you mean '{}'?", *near) : ""));
  }
  if (!spec.path.empty()) {
    std::error_code ignored;
    if (fs::is_directory(spec.path, ignored)) {
      return folder_in(spec.path, *kind).value_or(fs::path(spec.path));  // reading says what lacks
    }
    return fail(fmt::format("the data set's path {} is not a folder", spec.path));
  }
  std::vector<std::string> names;
  for (const fs::path& place : search_places(spec.name, places)) {
    if (auto folder = folder_in(place, *kind)) return *folder;
    names.push_back(place.string());
  }
  return fail(fmt::format(
      "the data set {} was not found: none of {} holds {}{} (set the data set's path or "
      "LRTUNE_DATA)",
      spec.name, fmt::join(names, ", "), kind->first_file,
      kind->may_be_gzipped ? fmt::format(" or {}.gz", kind->first_file) : ""));
}

Result<Dataset> load_dataset(const std::string& name, const fs::path& folder) {
  const DatasetKind* kind = kind_named(name);
  if (kind == nullptr) return fail(fmt::format("the data set {} is not known", name));
  auto dataset = kind->load(folder);
  if (!dataset) return dataset;
  dataset->name = name;
  dataset->folder = folder;
  if (auto error = check_identity(*dataset)) return tl::unexpected(std::move(*error));
  return dataset;
}

Result<std::shared_ptr<const Dataset>> DatasetCache::get(const DatasetSpec& spec) {
  auto folder = find_dataset(spec, places_);
  if (!folder) return tl::unexpected(folder.error());
  // Also while reading: the second caller waits for the first's data.
  const std::lock_guard lock(mutex_);
  auto& slot = loaded_[spec.name + '\n' + folder->string()];
  if (slot == nullptr) {
    auto dataset = load_dataset(spec.name, *folder);
    if (!dataset) return tl::unexpected(dataset.error());
    slot = std::make_shared<const Dataset>(std::move(*dataset));
  }
  return slot;
}

Result<DataFacts> data_facts(const Dataset& dataset, double validation) {
  auto split = split_training_data(dataset.train.samples(), validation);
  if (!split) return tl::unexpected(split.error());
  return DataFacts{.fingerprint = dataset.fingerprint,
                   .train_samples = std::ssize(split->train),
                   .validation_samples = std::ssize(split->validation),
                   .test_samples = dataset.test.samples(),
                   .classes = dataset.classes};
}

}  // namespace lrtune

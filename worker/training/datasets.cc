#include "worker/training/datasets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <span>
#include <utility>

#include "common/json_reader.h"
#include "worker/training/idx.h"
#include "worker/training/sampler.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSide = 28;  // pixels, both data sets
constexpr int kClasses = 10;

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

std::optional<fs::path> existing_file(const fs::path& folder, std::string_view name) {
  std::error_code ignored;
  for (const char* suffix : {"", ".gz"}) {
    fs::path file = folder / (std::string(name) + suffix);
    if (fs::is_regular_file(file, ignored)) return file;
  }
  return std::nullopt;
}

Result<IdxArray> read_part_file(const fs::path& folder, std::string_view name, int dimensions) {
  const auto file = existing_file(folder, name);
  if (!file) return fail(fmt::format("{}: no file {} or {}.gz", folder.string(), name, name));
  return read_idx(*file, dimensions);
}

std::optional<Error> check_part(const IdxArray& images, const IdxArray& labels) {
  if (images.shape[1] != kSide || images.shape[2] != kSide) {
    return Error{fmt::format("{}: wrong shape: expected images of {}x{}, found {}x{}",
                             images.path.string(), kSide, kSide, images.shape[1], images.shape[2])};
  }
  if (images.shape[0] != labels.shape[0]) {
    return Error{fmt::format("{} has {} images, but {} has {} labels", images.path.string(),
                             images.shape[0], labels.path.string(), labels.shape[0])};
  }
  const auto values = labels.values();
  const auto bad = std::find_if(values.begin(), values.end(),
                                [](std::uint8_t label) { return label >= kClasses; });
  if (bad != values.end()) {
    return Error{fmt::format("{}: label {} of sample {} is not from 0 to {}", labels.path.string(),
                             *bad, bad - values.begin(), kClasses - 1)};
  }
  return std::nullopt;
}

ImagePart part_of(IdxArray images, const IdxArray& labels) {
  ImagePart part;
  part.labels.assign(labels.values().begin(), labels.values().end());
  part.pixels = std::move(images.contents);
  part.pixels.erase(part.pixels.begin(),
                    part.pixels.begin() + static_cast<std::ptrdiff_t>(images.header));
  return part;
}

Digest fingerprint_of(std::span<const IdxArray> files) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (const IdxArray& file : files) {
    crypto_hash_sha256_update(&state, file.contents.data(), file.contents.size());
  }
  Digest digest;
  crypto_hash_sha256_final(&state, digest.bytes.data());
  return digest;
}

std::vector<fs::path> search_places(const std::string& name, const DataPlaces& places) {
  std::vector<fs::path> folders;
  if (!places.lrtune_data.empty()) {
    folders.push_back(fs::path(places.lrtune_data) / name);
    folders.emplace_back(places.lrtune_data);
  }
  if (!places.xdg_cache_home.empty()) {
    folders.push_back(fs::path(places.xdg_cache_home) / "lrtune" / name);
  } else if (!places.home.empty()) {
    folders.push_back(fs::path(places.home) / ".cache" / "lrtune" / name);
  }
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
  const auto known = known_datasets();
  if (std::find(known.begin(), known.end(), spec.name) == known.end()) {
    const auto near = nearest_name(spec.name, known);
    return fail(fmt::format("the data set must be one of {}, not '{}'{}", fmt::join(known, ", "),
                            spec.name, near ? fmt::format("; did you mean '{}'?", *near) : ""));
  }
  if (!spec.path.empty()) {
    std::error_code ignored;
    if (fs::is_directory(spec.path, ignored)) return fs::path(spec.path);
    return fail(fmt::format("the data set's path {} is not a folder", spec.path));
  }
  const std::vector<fs::path> folders = search_places(spec.name, places);
  for (const fs::path& folder : folders) {
    if (existing_file(folder, kIdxFiles[0])) return folder;
  }
  std::vector<std::string> names;
  for (const fs::path& folder : folders) names.push_back(folder.string());
  return fail(fmt::format(
      "the data set {} was not found: none of {} holds {} or {}.gz (set the data set's path "
      "or LRTUNE_DATA)",
      spec.name, fmt::join(names, ", "), kIdxFiles[0], kIdxFiles[0]));
}

Result<Dataset> load_dataset(const std::string& name, const fs::path& folder) {
  std::array<IdxArray, 4> files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto file = read_part_file(folder, kIdxFiles[i], i % 2 == 0 ? 3 : 1);
    if (!file) return tl::unexpected(file.error());
    files[i] = std::move(*file);
  }
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
    if (auto error = check_part(files[i], files[i + 1])) {
      return tl::unexpected(std::move(*error));
    }
  }
  Dataset dataset{
      .name = name, .folder = folder, .rows = kSide, .columns = kSide, .classes = kClasses};
  dataset.fingerprint = fingerprint_of(files);
  if (auto error = check_identity(dataset)) return tl::unexpected(std::move(*error));
  dataset.train = part_of(std::move(files[0]), files[1]);
  dataset.test = part_of(std::move(files[2]), files[3]);
  return dataset;
}

Result<std::shared_ptr<const Dataset>> DatasetCache::get(const DatasetSpec& spec) {
  auto folder = find_dataset(spec, places_);
  if (!folder) return tl::unexpected(folder.error());
  const std::lock_guard lock(
      mutex_);  // also while reading: the second caller waits for the first's data
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

#include "worker/training/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "worker/training/contents_hash.h"
#include "worker/training/file_digests.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

bool is_jpeg(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg";
}

// Names in `folder`, sorted: of folders, or of JPEGs.
Result<std::vector<std::string>> names_in(const fs::path& folder, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;  // a link to nothing is no image
    if (folders ? entry->is_directory(ignored)
                : is_jpeg(entry->path()) && entry->is_regular_file(ignored)) {
      names.push_back(entry->path().filename().string());
    }
  }
  if (error) return fail(fmt::format("{}: {}", folder.string(), error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

Result<ImagePart> list_part(const fs::path& folder, const std::string& name,
                            const std::vector<std::string>& classes) {
  const auto present = names_in(folder / name, true);
  if (!present) return tl::unexpected(present.error());
  ImagePart part;
  for (const std::string& one : *present) {
    const auto at = std::lower_bound(classes.begin(), classes.end(), one);
    if (at == classes.end() || *at != one) {
      return fail(fmt::format("{}: the class {} is not in {}", (folder / name).string(), one,
                              (folder / "train").string()));
    }
    const auto files = names_in(folder / name / one, false);
    if (!files) return tl::unexpected(files.error());
    for (const std::string& file : *files) {
      part.files.push_back(fmt::format("{}/{}/{}", name, one, file));
      part.labels.push_back(at - classes.begin());
    }
  }
  if (part.files.empty())
    return fail(fmt::format("{}: no images CLASS/*.jpg or *.jpeg", (folder / name).string()));
  return part;
}

// The file of this folder's hashes.
fs::path digest_file(const fs::path& folder, const fs::path& cache) {
  if (cache.empty()) return {};
  std::error_code ignored;
  const fs::path whole = fs::weakly_canonical(folder, ignored);
  return cache / fmt::format("{:.32}.sha256", sha256(whole.string()).hex());
}

Result<Digest> fingerprint(const Dataset& dataset, const fs::path& folder, const fs::path& cache) {
  std::vector<std::string> names = dataset.train.files;
  names.insert(names.end(), dataset.test.files.begin(), dataset.test.files.end());
  const int threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
  const auto digests = file_digests(folder, names, digest_file(folder, cache), threads);
  if (!digests) return tl::unexpected(digests.error());
  ContentsHash hash;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t train = dataset.train.files.size();
    const bool trains = i < train;
    // Where the file lies below its class: `val` and `test` are the same part.
    const std::string line =
        fmt::format("{} {} {} {}\n", trains ? "train" : "test",
                    trains ? dataset.train.labels[i] : dataset.test.labels[i - train],
                    (*digests)[i].digest.hex(), names[i].substr(names[i].find('/') + 1));
    hash.add({reinterpret_cast<const std::uint8_t*>(line.data()), line.size()});
  }
  return hash.finish();
}

}  // namespace

Result<Dataset> load_image_folder(const fs::path& folder, const fs::path& cache) {
  const auto classes = names_in(folder / "train", true);
  if (!classes) return tl::unexpected(classes.error());
  if (classes->empty())
    return fail(fmt::format("{}: no folders of classes", (folder / "train").string()));
  Dataset dataset{.channels = 3, .classes = static_cast<int>(classes->size())};
  auto train = list_part(folder, "train", *classes);
  if (!train) return tl::unexpected(train.error());
  std::error_code ignored;
  const bool has_val = fs::is_directory(folder / "val", ignored);
  if (!has_val && !fs::is_directory(folder / "test", ignored))
    return fail(fmt::format("{}: no folder val (nor test) beside train", folder.string()));
  auto test = list_part(folder, has_val ? "val" : "test", *classes);
  if (!test) return tl::unexpected(test.error());
  dataset.train = *std::move(train);
  dataset.test = *std::move(test);
  auto digest = fingerprint(dataset, folder, cache);
  if (!digest) return tl::unexpected(digest.error());
  dataset.fingerprint = *digest;
  return dataset;
}

}  // namespace lrtune

#include "worker/training/mnist.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "worker/training/contents_hash.h"
#include "worker/training/gzip.h"
#include "worker/training/idx.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSide = 28;  // pixels
constexpr int kClasses = 10;

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

}  // namespace

Result<Dataset> load_mnist(const fs::path& folder) {
  std::array<IdxArray, 4> files;
  ContentsHash hash;
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto file = read_part_file(folder, kIdxFiles[i], i % 2 == 0 ? 3 : 1);
    if (!file) return tl::unexpected(file.error());
    files[i] = std::move(*file);
    hash.add(files[i].contents);
  }
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
    if (auto error = check_part(files[i], files[i + 1])) {
      return tl::unexpected(std::move(*error));
    }
  }
  Dataset dataset{.rows = kSide, .columns = kSide, .classes = kClasses};
  dataset.fingerprint = hash.finish();
  dataset.train = part_of(std::move(files[0]), files[1]);
  dataset.test = part_of(std::move(files[2]), files[3]);
  return dataset;
}

}  // namespace lrtune

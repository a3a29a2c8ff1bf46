#include "worker/training/svhn.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/training/contents_hash.h"
#include "worker/training/mat_file.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSide = 32;  // pixels
constexpr std::size_t kChannels = 3;
constexpr std::size_t kImageBytes = kSide * kSide * kChannels;

std::optional<Error> check_shapes(const MatVariable& images, const MatVariable& labels,
                                  const fs::path& path) {
  const auto& shape = images.shape;
  const bool fits = images.type == "uint8" && shape.size() == 4 && shape[0] == kSide &&
                    shape[1] == kSide && shape[2] == kChannels && shape[3] > 0;
  if (!fits) {
    return Error{fmt::format("{}: wrong shape: X must be uint8 of 32x32x3xN, not {} of {}",
                             path.string(), images.type, fmt::join(shape, "x"))};
  }
  if (labels.size() != shape[3]) {
    return Error{fmt::format("{}: X has {} images, but y has {} labels", path.string(), shape[3],
                             labels.size())};
  }
  return std::nullopt;
}

// From MATLAB's order, rows fastest, to that of ImagePart, channels fastest.
void reorder(std::vector<std::uint8_t>& pixels) {
  std::array<std::uint8_t, kImageBytes> image{};
  for (auto at = pixels.begin(); at != pixels.end(); at += kImageBytes) {
    std::copy_n(at, kImageBytes, image.begin());
    auto out = at;
    for (std::size_t row = 0; row < kSide; ++row) {
      for (std::size_t column = 0; column < kSide; ++column) {
        for (std::size_t channel = 0; channel < kChannels; ++channel) {
          *out++ = image[row + kSide * (column + kSide * channel)];
        }
      }
    }
  }
}

Result<std::vector<std::int64_t>> labels_of(const std::vector<double>& numbers,
                                            const fs::path& path) {
  std::vector<std::int64_t> labels;
  labels.reserve(numbers.size());
  for (const double number : numbers) {
    const bool fits = number >= 1 && number <= 10;
    const std::int64_t label = fits ? static_cast<std::int64_t>(number) : 0;
    if (!fits || static_cast<double>(label) != number) {
      return fail(fmt::format("{}: label {} of sample {} is not a whole number from 1 to 10",
                              path.string(), number, labels.size()));
    }
    labels.push_back(label % 10);
  }
  return labels;
}

Result<ImagePart> read_part(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    return fail(
        fmt::format("{}: no file {}", path.parent_path().string(), path.filename().string()));
  }
  const auto file = MatFile::open(path);
  if (!file) return tl::unexpected(file.error());
  const auto images = file->find("X");
  if (!images) return tl::unexpected(images.error());
  const auto answers = file->find("y");
  if (!answers) return tl::unexpected(answers.error());
  if (auto error = check_shapes(*images, *answers, path)) return tl::unexpected(std::move(*error));
  const auto numbers = file->read_numbers("y");
  if (!numbers) return tl::unexpected(numbers.error());
  auto labels = labels_of(*numbers, path);
  if (!labels) return tl::unexpected(labels.error());
  auto pixels = file->read_bytes("X");
  if (!pixels) return tl::unexpected(pixels.error());
  reorder(*pixels);
  return ImagePart{.pixels = *std::move(pixels), .labels = *std::move(labels)};
}

void add_part(const ImagePart& part, ContentsHash& hash) {
  hash.add(part.pixels);
  const std::vector<std::uint8_t> labels(part.labels.begin(), part.labels.end());
  hash.add(labels);
}

}  // namespace

Result<Dataset> load_svhn(const fs::path& folder) {
  Dataset dataset{.channels = kChannels, .rows = kSide, .columns = kSide, .classes = 10};
  auto train = read_part(folder / kSvhnFiles[0]);
  if (!train) return tl::unexpected(train.error());
  auto test = read_part(folder / kSvhnFiles[1]);
  if (!test) return tl::unexpected(test.error());
  ContentsHash hash;
  add_part(*train, hash);
  add_part(*test, hash);
  dataset.train = *std::move(train);
  dataset.test = *std::move(test);
  dataset.fingerprint = hash.finish();
  return dataset;
}

}  // namespace lrtune

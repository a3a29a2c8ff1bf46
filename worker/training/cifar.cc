#include "worker/training/cifar.h"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/training/contents_hash.h"
#include "worker/training/gzip.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSide = 32;  // pixels
constexpr std::size_t kPlane = kSide * kSide;
constexpr std::size_t kPixels = 3 * kPlane;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 31;  // 70 times a published file

struct Form {
  std::vector<int> classes;  // of each label before the pixels; the last is the one that counts
  std::vector<std::string_view> train;
  std::string_view test;
};

void append_image(std::span<const std::uint8_t> planes, std::vector<std::uint8_t>& pixels) {
  const std::size_t start = pixels.size();
  pixels.resize(start + kPixels);
  std::uint8_t* out = pixels.data() + start;
  for (std::size_t i = 0; i < kPlane; ++i) {
    *out++ = planes[i];
    *out++ = planes[kPlane + i];
    *out++ = planes[2 * kPlane + i];
  }
}

std::optional<Error> check_labels(const fs::path& file, std::span<const std::uint8_t> labels,
                                  const Form& form, std::size_t record) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < form.classes[i]) continue;
    return Error{fmt::format("{}: {}label {} of record {} is not from 0 to {}", file.string(),
                             i + 1 < labels.size() ? "coarse " : "", labels[i], record,
                             form.classes[i] - 1)};
  }
  return std::nullopt;
}

Result<void> append_records(const fs::path& file, std::span<const std::uint8_t> contents,
                            const Form& form, ImagePart& part) {
  const std::size_t labels = form.classes.size();
  const std::size_t record = labels + kPixels;
  if (contents.empty() || contents.size() % record != 0) {
    return fail(fmt::format(
        "{}: truncated or of another form: expected records of {} bytes, found {} bytes",
        file.string(), record, contents.size()));
  }
  for (std::size_t at = 0; at < contents.size(); at += record) {
    const auto given = contents.subspan(at, labels);
    if (auto error = check_labels(file, given, form, at / record)) {
      return tl::unexpected(std::move(*error));
    }
    part.labels.push_back(given.back());
    append_image(contents.subspan(at + labels, kPixels), part.pixels);
  }
  return {};
}

Result<void> read_file(const fs::path& folder, std::string_view name, const Form& form,
                       std::size_t files, ImagePart& part, ContentsHash& hash) {
  const auto file = existing_file(folder, name);
  if (!file) return fail(fmt::format("{}: no file {} or {}.gz", folder.string(), name, name));
  const auto contents = read_maybe_gzip(*file, kMostBytes);
  if (!contents) return tl::unexpected(contents.error());
  hash.add(*contents);
  // The files of a part have the same size, so that nothing is copied again as it grows.
  if (part.pixels.empty()) part.pixels.reserve(files * contents->size());
  return append_records(*file, *contents, form, part);
}

Result<Dataset> load(const fs::path& folder, const Form& form) {
  Dataset dataset{.channels = 3, .rows = kSide, .columns = kSide, .classes = form.classes.back()};
  ContentsHash hash;
  for (const std::string_view name : form.train) {
    auto read = read_file(folder, name, form, form.train.size(), dataset.train, hash);
    if (!read) return tl::unexpected(read.error());
  }
  auto read = read_file(folder, form.test, form, 1, dataset.test, hash);
  if (!read) return tl::unexpected(read.error());
  dataset.fingerprint = hash.finish();
  return dataset;
}

}  // namespace

Result<Dataset> load_cifar10(const fs::path& folder) {
  return load(folder, {.classes = {10},
                       .train = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                 "data_batch_4.bin", "data_batch_5.bin"},
                       .test = "test_batch.bin"});
}

Result<Dataset> load_cifar100(const fs::path& folder) {
  return load(folder, {.classes = {20, 100}, .train = {"train.bin"}, .test = "test.bin"});
}

}  // namespace lrtune

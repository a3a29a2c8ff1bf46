#include "worker/training/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>

#include "worker/training/gzip.h"

namespace lrtune {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 31;  // 40 times MNIST

std::uint32_t big_endian(std::span<const std::uint8_t> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | bytes[at + i];
  return value;
}

}  // namespace

Result<IdxArray> read_idx(const std::filesystem::path& path, int dimensions) {
  auto contents = read_maybe_gzip(path, kMostBytes);
  if (!contents) return tl::unexpected(contents.error());
  const std::string name = path.string();
  IdxArray array{.path = path};
  array.header = 4 + 4 * static_cast<std::size_t>(dimensions);
  if (contents->size() < array.header) {
    return fail(
        fmt::format("{}: truncated: an IDX header of {} dimensions has {} bytes, the file {}", name,
                    dimensions, array.header, contents->size()));
  }
  const std::uint32_t expected = 0x0800u + static_cast<std::uint32_t>(dimensions);
  const std::uint32_t magic = big_endian(*contents, 0);
  if (magic != expected) {
    return fail(fmt::format(
        "{}: wrong magic number: expected {:#010x} (unsigned bytes, {} dimensions), found "
        "{:#010x}",
        name, expected, dimensions, magic));
  }
  std::uint64_t values = 1;
  for (std::size_t at = 4; at < array.header; at += 4) {
    const std::uint32_t size = big_endian(*contents, at);
    array.shape.push_back(size);
    values = size > kMostBytes / std::max<std::uint64_t>(values, 1) ? kMostBytes : values * size;
  }
  if (values == 0)
    return fail(fmt::format("{}: no values: its shape is {}", name, fmt::join(array.shape, "x")));
  const std::uint64_t found = contents->size() - array.header;
  if (found != values) {
    return fail(fmt::format("{}: {}: its shape {} needs {} bytes of values, found {}", name,
                            found < values ? "truncated" : "trailing bytes",
                            fmt::join(array.shape, "x"), values, found));
  }
  array.contents = std::move(*contents);
  return array;
}

}  // namespace lrtune

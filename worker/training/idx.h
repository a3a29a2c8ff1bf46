// IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist): two zero bytes, a type byte
// (8: unsigned bytes), the number of dimensions, each dimension as 4 bytes big end first, then the
// values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "common/result.h"

namespace lrtune {

struct IdxArray {
  std::filesystem::path path;          // the file that was read
  std::vector<std::int64_t> shape;     // the first dimension counts samples; each is at least 1
  std::vector<std::uint8_t> contents;  // the whole uncompressed file
  std::size_t header = 0;              // bytes before the values
  std::span<const std::uint8_t> values() const { return std::span(contents).subspan(header); }
};

// Reads an IDX file of unsigned bytes with `dimensions` dimensions, gzip-compressed or not. Errors
// name the file, what was expected and what was found: not an IDX file, other dimensions,
// truncated, or bytes left over.
Result<IdxArray> read_idx(const std::filesystem::path& path, int dimensions);

}  // namespace lrtune

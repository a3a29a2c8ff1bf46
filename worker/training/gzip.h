// Reading a file that may be gzip-compressed (RFC 1952), strictly: zlib's own gzread passes over
// bytes that follow the compressed data and reads a file cut before its first block as empty.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace lrtune {

// The contents of `path`, uncompressed if they begin with gzip's magic number. Errors name the
// file: it cannot be read, is truncated or corrupt, has bytes after its end, or holds more than
// `limit` bytes.
Result<std::vector<std::uint8_t>> read_maybe_gzip(const std::filesystem::path& path,
                                                  std::uint64_t limit);

// folder/name or, if that is not there, folder/name.gz.
std::optional<std::filesystem::path> existing_file(const std::filesystem::path& folder,
                                                   std::string_view name);

}  // namespace lrtune

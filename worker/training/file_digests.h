// SHA-256 of many files, which are read again only if they changed.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/hash.h"
#include "common/result.h"

namespace lrtune {

struct FileDigest {
  std::uint64_t bytes = 0;
  Digest digest;
};

// Of folder/names[i], in their order, with `threads` threads. `cache` is a file that keeps the
// digests between processes, or empty: a file whose name, size, inode and time of change (in
// nanoseconds) are those noted there is not read. What the cache holds is replaced by what was
// found; a cache that is missing, damaged or cannot be written costs time alone. Errors: a file
// that cannot be read; the message names it.
Result<std::vector<FileDigest>> file_digests(const std::filesystem::path& folder,
                                             std::span<const std::string> names,
                                             const std::filesystem::path& cache, int threads);

}  // namespace lrtune

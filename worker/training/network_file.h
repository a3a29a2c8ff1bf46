// The files of networks that users bring. Such a file is code that this process will run, so it is
// taken only from folders that the worker was told to trust. No LibTorch.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "common/hash.h"
#include "common/result.h"

namespace lrtune {

struct NetworkFile {
  std::filesystem::path path;
  std::string bytes;
  Digest digest;  // SHA-256 of them
};

// `file`: relative to one of the folders, which are looked through in their order, or absolute.
// Links are followed before it is asked whether the file is inside. Errors: no folder is trusted,
// the file is in none of them, is not there or cannot be read.
Result<NetworkFile> read_network_file(const std::string& file,
                                      std::span<const std::filesystem::path> trusted);

}  // namespace lrtune

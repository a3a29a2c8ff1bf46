// A data set as it was read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/hash.h"

namespace lrtune {

struct ImagePart {
  std::vector<std::uint8_t> pixels;  // samples x rows x columns x channels; none of image folders
  std::vector<std::string> files;    // image folders: below the data set's folder, one a sample
  std::vector<std::int64_t> labels;  // 0 .. classes-1, one a sample
  std::int64_t samples() const { return std::ssize(labels); }
};

struct Dataset {
  std::string name;
  std::filesystem::path folder;
  std::int64_t channels = 1;
  std::int64_t rows = 0;     // of image folders, whose images are of any size: 0
  std::int64_t columns = 0;  // the same
  int classes = 0;
  ImagePart train;  // with what a validation share will hold out
  ImagePart test;
  Digest fingerprint;  // SHA-256 over the uncompressed contents; of what exactly, its reader says
};

}  // namespace lrtune

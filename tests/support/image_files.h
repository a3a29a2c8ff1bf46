// Small IDX data sets in the place of MNIST: 28x28 images of ten classes that a network learns
// within seconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lrtune {

using Bytes = std::vector<std::uint8_t>;

// An IDX file of unsigned bytes with this shape.
Bytes idx_bytes(const std::vector<std::uint32_t>& shape, const Bytes& values);

Bytes gzip_bytes(const Bytes& contents);

void write_bytes(const std::filesystem::path& path, const Bytes& bytes);
Bytes read_bytes(const std::filesystem::path& path);

struct ImageFilesOptions {
  std::uint32_t train = 300;
  std::uint32_t test = 100;
  std::uint64_t seed = 1;
  bool gzip = false;  // names end in .gz then
};

// Writes the four files of kIdxFiles into `folder`, which it makes. Each class is a bright square
// at its own place over noise.
void write_image_files(const std::filesystem::path& folder, const ImageFilesOptions& options = {});

}  // namespace lrtune

#include "tests/support/image_files.h"

#include <zlib.h>

#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

#include "worker/training/datasets.h"

namespace lrtune {
namespace {

constexpr std::uint32_t kSide = 28;

void append_image(Bytes& pixels, std::uint32_t label, std::mt19937_64& random) {
  const std::uint32_t top = 2 + 5 * (label / 3);
  const std::uint32_t left = 2 + 9 * (label % 3);
  for (std::uint32_t row = 0; row < kSide; ++row) {
    for (std::uint32_t column = 0; column < kSide; ++column) {
      const bool inside =
          row - top < 5 && column - left < 6;  // unsigned: below top wraps far above 5
      const std::uint64_t noise = random() % 64;
      pixels.push_back(static_cast<std::uint8_t>(inside ? 255 - noise : noise));
    }
  }
}

void write_part(const std::filesystem::path& folder, std::size_t first, std::uint32_t samples,
                std::uint64_t seed, bool gzip) {
  std::mt19937_64 random(seed);
  Bytes pixels;
  Bytes labels;
  for (std::uint32_t i = 0; i < samples; ++i) {
    const auto label = static_cast<std::uint32_t>(random() % 10);
    labels.push_back(static_cast<std::uint8_t>(label));
    append_image(pixels, label, random);
  }
  const auto write = [&](std::size_t file, const Bytes& bytes) {
    const std::string name(kIdxFiles[file]);
    write_bytes(folder / (gzip ? name + ".gz" : name), gzip ? gzip_bytes(bytes) : bytes);
  };
  write(first, idx_bytes({samples, kSide, kSide}, pixels));
  write(first + 1, idx_bytes({samples}, labels));
}

}  // namespace

Bytes idx_bytes(const std::vector<std::uint32_t>& shape, const Bytes& values) {
  Bytes bytes{0, 0, 8, static_cast<std::uint8_t>(shape.size())};
  for (const std::uint32_t size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<std::uint8_t>(size >> shift));
  }
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

Bytes gzip_bytes(const Bytes& contents) {
  z_stream stream{};
  if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("zlib cannot start");
  }
  Bytes packed(deflateBound(&stream, static_cast<uLong>(contents.size())) + 64);
  Bytes input = contents;  // zlib wants a pointer that may be written through
  stream.next_in = input.data();
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  const int status = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("zlib cannot compress");
  return packed;
}

void write_bytes(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

Bytes read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_image_files(const std::filesystem::path& folder, const ImageFilesOptions& options) {
  std::filesystem::create_directories(folder);
  write_part(folder, 0, options.train, options.seed, options.gzip);
  write_part(folder, 2, options.test, options.seed + 1, options.gzip);
}

}  // namespace lrtune

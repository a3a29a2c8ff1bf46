#include "tests/support/image_files.h"

#include <matio.h>
#include <zlib.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>

#include "worker/training/mnist.h"

namespace lrtune {
namespace {

constexpr std::uint32_t kSide = 28;

constexpr std::uint32_t kColourSide = 32;
constexpr std::uint32_t kColourPixels = kColourSide * kColourSide;

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

// Three colours, a plane each, one after the other.
Bytes colour_planes(std::uint32_t label, std::mt19937_64& random, bool rows_fastest) {
  Bytes planes(std::size_t{3} * kColourPixels);
  const std::uint32_t top = 2 + 7 * (label / 3 % 4);
  const std::uint32_t left = 2 + 9 * (label % 3);
  for (std::uint32_t plane = 0; plane < 3; ++plane) {
    for (std::uint32_t row = 0; row < kColourSide; ++row) {
      for (std::uint32_t column = 0; column < kColourSide; ++column) {
        const bool inside = row - top < 6 && column - left < 8;  // unsigned, as above
        const std::uint64_t noise = random() % 64;
        const std::uint32_t place =
            rows_fastest ? row + kColourSide * column : column + kColourSide * row;
        planes[plane * kColourPixels + place] =
            static_cast<std::uint8_t>(inside ? 255 - noise : noise);
      }
    }
  }
  return planes;
}

void write_records(const std::filesystem::path& path, std::size_t labels, std::uint32_t samples,
                   std::uint64_t seed, bool gzip) {
  std::mt19937_64 random(seed);
  Bytes bytes;
  for (std::uint32_t i = 0; i < samples; ++i) {
    Bytes given(labels, 3);  // a coarse label that says nothing
    given.back() = static_cast<std::uint8_t>(random() % 10);
    const Bytes record = cifar_record(given, random());
    bytes.insert(bytes.end(), record.begin(), record.end());
  }
  write_bytes(gzip ? path.string() + ".gz" : path.string(), gzip ? gzip_bytes(bytes) : bytes);
}

std::pair<matio_classes, matio_types> types_of(const MatMatrix& matrix) {
  static const std::pair<matio_classes, matio_types> types[] = {
      {MAT_C_UINT8, MAT_T_UINT8}, {MAT_C_DOUBLE, MAT_T_DOUBLE}, {MAT_C_INT32, MAT_T_INT32}};
  return types[matrix.values.index()];
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

Bytes cifar_record(const Bytes& labels, std::uint64_t number) {
  std::mt19937_64 random(number);
  Bytes record = labels;
  const Bytes planes = colour_planes(labels.back(), random, false);
  record.insert(record.end(), planes.begin(), planes.end());
  return record;
}

void write_cifar10_files(const std::filesystem::path& folder, const ImageFilesOptions& options) {
  std::filesystem::create_directories(folder);
  for (std::uint32_t i = 1; i <= 5; ++i) {
    write_records(folder / ("data_batch_" + std::to_string(i) + ".bin"), 1, options.train / 5,
                  options.seed + i, options.gzip);
  }
  write_records(folder / "test_batch.bin", 1, options.test, options.seed, options.gzip);
}

void write_cifar100_files(const std::filesystem::path& folder, const ImageFilesOptions& options) {
  std::filesystem::create_directories(folder);
  write_records(folder / "train.bin", 2, options.train, options.seed, options.gzip);
  write_records(folder / "test.bin", 2, options.test, options.seed + 1, options.gzip);
}

void write_mat_file(const std::filesystem::path& path, const std::vector<MatMatrix>& matrices,
                    bool compressed) {
  const std::unique_ptr<mat_t, int (*)(mat_t*)> file(
      Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5), Mat_Close);
  if (file == nullptr) throw std::runtime_error("cannot write " + path.string());
  for (MatMatrix matrix : matrices) {
    const auto [kind, type] = types_of(matrix);
    void* data =
        std::visit([](auto& values) { return static_cast<void*>(values.data()); }, matrix.values);
    const std::unique_ptr<matvar_t, void (*)(matvar_t*)> variable(
        Mat_VarCreate(matrix.name.c_str(), kind, type, static_cast<int>(matrix.shape.size()),
                      matrix.shape.data(), data, MAT_F_DONT_COPY_DATA),
        Mat_VarFree);
    const auto form = compressed ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE;
    if (variable == nullptr || Mat_VarWrite(file.get(), variable.get(), form) != 0)
      throw std::runtime_error("matio cannot write " + matrix.name);
  }
}

std::vector<MatMatrix> svhn_matrices(std::size_t samples, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes pixels;
  Bytes labels;
  for (std::size_t i = 0; i < samples; ++i) {
    const auto digit = static_cast<std::uint32_t>(random() % 10);
    labels.push_back(static_cast<std::uint8_t>(digit == 0 ? 10 : digit));
    const Bytes planes = colour_planes(digit, random, true);
    pixels.insert(pixels.end(), planes.begin(), planes.end());
  }
  return {{"X", {kColourSide, kColourSide, 3, samples}, pixels}, {"y", {samples, 1}, labels}};
}

void write_svhn_files(const std::filesystem::path& folder, const ImageFilesOptions& options) {
  std::filesystem::create_directories(folder);
  write_mat_file(folder / "train_32x32.mat", svhn_matrices(options.train, options.seed));
  write_mat_file(folder / "test_32x32.mat", svhn_matrices(options.test, options.seed + 1));
}

}  // namespace lrtune

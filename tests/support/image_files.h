// Small data sets in the place of MNIST, CIFAR and SVHN, which a network learns within seconds:
// each class is a bright patch at its own place over noise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
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

// Writes the four files of kIdxFiles into `folder`, which it makes.
void write_image_files(const std::filesystem::path& folder, const ImageFilesOptions& options = {});

// A record of CIFAR: its labels, then the pixels of its class (the last label) and this number.
Bytes cifar_record(const Bytes& labels, std::uint64_t number);

// CIFAR-10's six files, of options.train / 5 and options.test records.
void write_cifar10_files(const std::filesystem::path& folder,
                         const ImageFilesOptions& options = {});

// CIFAR-100's two files; the label that counts is one of the first ten.
void write_cifar100_files(const std::filesystem::path& folder,
                          const ImageFilesOptions& options = {});

// A MATLAB 5 file of one or more matrices, compressed or not.
struct MatMatrix {
  std::string name;
  std::vector<std::size_t> shape;
  std::variant<Bytes, std::vector<double>, std::vector<std::int32_t>> values;
};
void write_mat_file(const std::filesystem::path& path, const std::vector<MatMatrix>& matrices,
                    bool compressed = true);

// X and y of SVHN, with labels from 1 to 10.
std::vector<MatMatrix> svhn_matrices(std::size_t samples, std::uint64_t seed);
void write_svhn_files(const std::filesystem::path& folder, const ImageFilesOptions& options = {});

}  // namespace lrtune

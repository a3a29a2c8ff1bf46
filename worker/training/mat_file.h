// MATLAB 5 files (MATLAB's `save -v6` and `-v7`), through matio. Strict: matio itself passes over a
// cut end and over compressed data whose checksum is wrong, and leaves the numbers there as they
// were.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"

namespace lrtune {

// A matrix of real numbers, first index fastest.
struct MatVariable {
  std::string type;  // MATLAB's name of it: "uint8", "double" ...
  std::vector<std::size_t> shape;
  std::size_t size() const;  // how many numbers
};

// One open file; not thread-safe. Errors of all functions name the file.
class MatFile {
 public:
  // Reads the file once from end to end. Errors: it cannot be read, is no little-endian MATLAB 5
  // file, is truncated or corrupt.
  static Result<MatFile> open(const std::filesystem::path& path);

  // What a variable is, without reading its numbers. Errors: there is none of this name (the
  // message lists those that there are), or it holds no real numbers.
  Result<MatVariable> find(const std::string& name) const;

  // All numbers of a variable. Errors: as find, another type than uint8, or the numbers are fewer
  // than its shape says.
  Result<std::vector<std::uint8_t>> read_bytes(const std::string& name) const;

  // The same with conversion from uint8, uint16, int32 or double.
  Result<std::vector<double>> read_numbers(const std::string& name) const;

 private:
  struct Handle;  // matio's open file
  MatFile(std::filesystem::path path, std::shared_ptr<const Handle> handle)
      : path_(std::move(path)), handle_(std::move(handle)) {}
  std::filesystem::path path_;
  std::shared_ptr<const Handle> handle_;
};

}  // namespace lrtune

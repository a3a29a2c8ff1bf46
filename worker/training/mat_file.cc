#include "worker/training/mat_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <matio.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <span>

namespace lrtune {
namespace {

namespace fs = std::filesystem;

struct FreeVariable {
  void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
};
using Variable = std::unique_ptr<matvar_t, FreeVariable>;

// The form: "MAT-File Versions" in MathWorks' "MAT-File Format". 128 bytes of header, then elements
// of 8 bytes (type and length, each 4) and as many bytes as the length says.
constexpr std::size_t kHeaderBytes = 128;
constexpr std::array<char, 4> kVersion5 = {0, 1, 'I', 'M'};  // at 124: version, byte order
constexpr std::uint32_t kMatrix = 14;
constexpr std::uint32_t kCompressed = 15;
constexpr std::size_t kStep = std::size_t{1} << 16;  // bytes read at a time

// MATLAB's names, by matio's numbers; those that hold real numbers.
std::string type_name(matio_classes type) {
  static constexpr std::array<const char*, 16> kNames = {
      "empty", "cell",  "struct", "object", "char",  "sparse", "double", "single",
      "int8",  "uint8", "int16",  "uint16", "int32", "uint32", "int64",  "uint64"};
  const auto number = static_cast<std::size_t>(type);
  return number < kNames.size() ? kNames[number] : "an object";
}

struct Inflater {
  Inflater() { ready = inflateInit(&stream) == Z_OK; }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream stream{};
  bool ready = false;
};

// Reads `bytes` of compressed data and throws the contents away. False: they cannot be read, are no
// zlib data, or their checksum is another.
bool is_sound(std::ifstream& file, std::uint64_t bytes) {
  Inflater inflater;
  std::vector<char> in(kStep);
  std::vector<Bytef> out(kStep);
  int status = inflater.ready ? Z_OK : Z_MEM_ERROR;
  for (std::uint64_t left = bytes; left > 0 && status == Z_OK;) {
    const std::uint64_t step = std::min<std::uint64_t>(left, kStep);
    if (!file.read(in.data(), static_cast<std::streamsize>(step))) return false;
    left -= step;
    inflater.stream.next_in = reinterpret_cast<Bytef*>(in.data());
    inflater.stream.avail_in = static_cast<uInt>(step);
    do {
      inflater.stream.next_out = out.data();
      inflater.stream.avail_out = static_cast<uInt>(kStep);
      status = inflate(&inflater.stream, Z_NO_FLUSH);
    } while (status == Z_OK && inflater.stream.avail_out == 0);
    if (status == Z_BUF_ERROR) status = Z_OK;  // it needs more input
  }
  return status == Z_STREAM_END && inflater.stream.avail_in == 0;
}

std::optional<Error> check_element(std::ifstream& file, const fs::path& path, std::uint64_t at,
                                   std::uint64_t& end, std::uint64_t size) {
  std::array<std::uint32_t, 2> tag{};  // type, bytes that follow
  if (size - at < sizeof tag || !file.read(reinterpret_cast<char*>(tag.data()), sizeof tag)) {
    return Error{
        fmt::format("{}: truncated: it ends within the element at byte {}", path.string(), at)};
  }
  if (tag[0] != kMatrix && tag[0] != kCompressed) {
    return Error{fmt::format("{}: corrupt: the element at byte {} has the type {}, not {} or {}",
                             path.string(), at, tag[0], kMatrix, kCompressed)};
  }
  end = at + sizeof tag + tag[1];
  if (end > size) {
    return Error{fmt::format("{}: truncated: the element at byte {} needs {} bytes, found {}",
                             path.string(), at, tag[1], size - at - sizeof tag)};
  }
  if (tag[0] == kCompressed && !is_sound(file, tag[1])) {
    return Error{fmt::format("{}: corrupt: the compressed data at byte {} cannot be uncompressed",
                             path.string(), at)};
  }
  return std::nullopt;
}

std::optional<Error> check_file(const fs::path& path) {
  std::error_code problem;
  const std::uint64_t size = fs::file_size(path, problem);
  std::ifstream file(path, std::ios::binary);
  std::array<char, kHeaderBytes> header{};
  if (problem || !file) return Error{fmt::format("{}: cannot be read", path.string())};
  file.read(header.data(), header.size());
  if (!file || !std::equal(kVersion5.begin(), kVersion5.end(), header.begin() + 124)) {
    return Error{fmt::format("{}: not a MATLAB 5 file, little end first (MATLAB's save -v6 or -v7)",
                             path.string())};
  }
  for (std::uint64_t at = kHeaderBytes; at < size;) {
    std::uint64_t end = 0;
    if (auto error = check_element(file, path, at, end, size)) return error;
    file.seekg(static_cast<std::streamoff>(end));
    at = end;
  }
  return std::nullopt;
}

std::string names_in(mat_t& file) {
  std::size_t count = 0;
  char* const* names = Mat_GetDir(&file, &count);  // the file keeps them
  if (count == 0) return "nothing";
  return fmt::format("{}", fmt::join(std::span(names, count), ", "));
}

Result<Variable> find_variable(mat_t& file, const fs::path& path, const std::string& name) {
  Variable variable(Mat_VarReadInfo(&file, name.c_str()));
  if (variable == nullptr) {
    return fail(fmt::format("{}: no variable {}; it has {}", path.string(), name, names_in(file)));
  }
  if (variable->class_type < MAT_C_DOUBLE || variable->class_type > MAT_C_UINT64 ||
      variable->isComplex != 0) {
    return fail(
        fmt::format("{}: {} must hold real numbers, not {}", path.string(), name,
                    variable->isComplex != 0 ? "complex ones" : type_name(variable->class_type)));
  }
  return variable;
}

MatVariable description_of(const matvar_t& variable) {
  return {.type = type_name(variable.class_type),
          .shape = {variable.dims, variable.dims + variable.rank}};
}

template <typename T>
Result<std::vector<T>> read_values(mat_t& file, const fs::path& path, matvar_t& variable) {
  const std::size_t size = description_of(variable).size();
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max())) {  // matio counts in int
    return fail(fmt::format("{}: {} has {} numbers, more than a data file may have ({})",
                            path.string(), variable.name, size, std::numeric_limits<int>::max()));
  }
  std::vector<T> values(size);
  if (size > 0 &&
      Mat_VarReadDataLinear(&file, &variable, values.data(), 0, 1, static_cast<int>(size)) != 0) {
    return fail(fmt::format("{}: corrupt: {} does not hold its {} numbers", path.string(),
                            variable.name, size));
  }
  return values;
}

template <typename T>
Result<std::vector<double>> read_as_double(mat_t& file, const fs::path& path, matvar_t& variable) {
  return read_values<T>(file, path, variable).map([](const std::vector<T>& values) {
    return std::vector<double>(values.begin(), values.end());
  });
}

}  // namespace

struct MatFile::Handle {
  explicit Handle(const fs::path& path) : file(Mat_Open(path.c_str(), MAT_ACC_RDONLY)) {}
  ~Handle() {
    if (file != nullptr) Mat_Close(file);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  mat_t* file;
};

std::size_t MatVariable::size() const {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

Result<MatFile> MatFile::open(const fs::path& path) {
  if (auto error = check_file(path)) return tl::unexpected(std::move(*error));
  auto handle = std::make_shared<const Handle>(path);
  if (handle->file == nullptr) return fail(fmt::format("{}: matio cannot open it", path.string()));
  return MatFile(path, std::move(handle));
}

Result<MatVariable> MatFile::find(const std::string& name) const {
  const auto variable = find_variable(*handle_->file, path_, name);
  if (!variable) return tl::unexpected(variable.error());
  return description_of(**variable);
}

Result<std::vector<std::uint8_t>> MatFile::read_bytes(const std::string& name) const {
  const auto variable = find_variable(*handle_->file, path_, name);
  if (!variable) return tl::unexpected(variable.error());
  if ((*variable)->class_type != MAT_C_UINT8) {
    return fail(fmt::format("{}: {} must be uint8, not {}", path_.string(), name,
                            type_name((*variable)->class_type)));
  }
  return read_values<std::uint8_t>(*handle_->file, path_, **variable);
}

Result<std::vector<double>> MatFile::read_numbers(const std::string& name) const {
  const auto variable = find_variable(*handle_->file, path_, name);
  if (!variable) return tl::unexpected(variable.error());
  mat_t& file = *handle_->file;
  switch ((*variable)->class_type) {
    case MAT_C_UINT8:
      return read_as_double<std::uint8_t>(file, path_, **variable);
    case MAT_C_UINT16:
      return read_as_double<std::uint16_t>(file, path_, **variable);
    case MAT_C_INT32:
      return read_as_double<std::int32_t>(file, path_, **variable);
    case MAT_C_DOUBLE:
      return read_as_double<double>(file, path_, **variable);
    default:
      return fail(fmt::format("{}: {} must be uint8, uint16, int32 or double, not {}",
                              path_.string(), name, type_name((*variable)->class_type)));
  }
}

}  // namespace lrtune

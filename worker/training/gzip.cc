#include "worker/training/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

namespace lrtune {
namespace {

using Bytes = std::vector<std::uint8_t>;
namespace fs = std::filesystem;

constexpr std::size_t kStep = std::size_t{1} << 22;  // the output grows by so many bytes at a time

struct Inflater {
  Inflater() { ready = inflateInit2(&stream, 15 + 16) == Z_OK; }  // 15: window bits; 16: gzip only
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream stream{};
  bool ready = false;
};

Result<Bytes> read_file(const fs::path& path, std::uint64_t limit) {
  std::error_code problem;
  const std::uintmax_t size = fs::file_size(path, problem);
  if (problem) return fail(fmt::format("{}: cannot be read: {}", path.string(), problem.message()));
  if (size > limit) {
    return fail(fmt::format("{}: {} bytes are more than a data file may have ({})", path.string(),
                            size, limit));
  }
  Bytes bytes(size);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!file) {
    const char* reason = errno != 0 ? std::strerror(errno) : "it ends early";
    return fail(fmt::format("{}: cannot be read: {}", path.string(), reason));
  }
  return bytes;
}

Result<Bytes> gunzip(Bytes& packed, const std::string& name, std::uint64_t limit) {
  Inflater inflater;
  if (!inflater.ready) return fail(fmt::format("{}: zlib cannot start", name));
  z_stream& stream = inflater.stream;
  stream.next_in = packed.data();
  stream.avail_in = static_cast<uInt>(packed.size());
  Bytes out;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t filled = out.size();
    if (filled > limit) {
      return fail(fmt::format("{}: holds more than {} bytes once it is uncompressed", name, limit));
    }
    out.resize(filled + kStep);
    stream.next_out = out.data() + filled;
    stream.avail_out = static_cast<uInt>(kStep);
    status = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  if (status == Z_BUF_ERROR) {
    return fail(fmt::format("{}: truncated: the gzip data end after {} bytes of contents", name,
                            out.size()));
  }
  if (status != Z_STREAM_END) {
    return fail(
        fmt::format("{}: corrupt gzip data ({})", name, stream.msg ? stream.msg : zError(status)));
  }
  if (stream.avail_in != 0) {
    return fail(fmt::format("{}: {} bytes follow the end of the gzip data", name, stream.avail_in));
  }
  return out;
}

}  // namespace

Result<Bytes> read_maybe_gzip(const fs::path& path, std::uint64_t limit) {
  Result<Bytes> bytes = read_file(path, limit);
  if (!bytes) return bytes;
  const bool packed = bytes->size() >= 2 && (*bytes)[0] == 0x1f && (*bytes)[1] == 0x8b;
  return packed ? gunzip(*bytes, path.string(), limit) : std::move(bytes);
}

std::optional<fs::path> existing_file(const fs::path& folder, std::string_view name) {
  std::error_code ignored;
  for (const char* suffix : {"", ".gz"}) {
    fs::path file = folder / (std::string(name) + suffix);
    if (fs::is_regular_file(file, ignored)) return file;
  }
  return std::nullopt;
}

}  // namespace lrtune

#include "worker/checkpoints/file_calls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace lrtune {

OpenFile::OpenFile(const std::filesystem::path& path, int flags)
    : number_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}

OpenFile::~OpenFile() {
  if (number_ >= 0) ::close(number_);
}

tl::unexpected<Error> failed_call(std::string_view what, const std::filesystem::path& path) {
  return fail(fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

bool write_all(int file, std::string_view bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += written;
  }
  return true;
}

bool read_all(int file, std::string& bytes, std::int64_t offset) {
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t count = ::pread(file, bytes.data() + filled, bytes.size() - filled,
                                  offset + static_cast<std::int64_t>(filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return true;
}

bool sync_folder(const std::filesystem::path& folder) {
  const OpenFile file(folder, O_RDONLY | O_DIRECTORY);
  return file && ::fsync(file.number()) == 0;
}

std::filesystem::path name_of_its_own(const std::filesystem::path& file, std::string_view ending) {
  static std::atomic<unsigned> counter{0};
  return file.parent_path() /
         fmt::format("{}.{}.{}{}", file.stem().string(), ::getpid(), counter.fetch_add(1), ending);
}

}  // namespace lrtune

#include "coordinator/cli/whole_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace lrtune {
namespace {

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<void> write_whole_file(const std::string& path, std::string_view text) {
  const std::string aside = fmt::format("{}.{}.partial", path, ::getpid());
  const auto failed = [&] {
    return fail(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  };
  const int file = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return failed();
  bool done = write_all(file, text) && ::fsync(file) == 0;
  int reason = errno;
  if (::close(file) != 0 && done) {
    done = false;
    reason = errno;
  }
  if (done && std::rename(aside.c_str(), path.c_str()) == 0) return {};
  if (done) reason = errno;
  ::unlink(aside.c_str());
  errno = reason;
  return failed();
}

}  // namespace lrtune

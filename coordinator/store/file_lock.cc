#include "coordinator/store/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lrtune {
namespace {

// The process that holds the lock wrote its id into the file.
std::string holder_of(int file) {
  std::array<char, 32> text{};
  const ssize_t size = pread(file, text.data(), text.size() - 1, 0);
  const std::string holder(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0U);
  return holder.empty() ? std::string("another lrtune process")
                        : fmt::format("lrtune process {}", holder);
}

void give_to_owner(int file, const std::string& guarded) {
  struct stat lock {};
  struct stat owned {};
  if (fstat(file, &lock) != 0 || stat(guarded.c_str(), &owned) != 0) return;
  if (lock.st_uid == owned.st_uid) return;
  if (fchown(file, owned.st_uid, owned.st_gid) != 0) {
    // Then the owner hears that he cannot open it.
  }
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path, const std::string& what,
                                const std::string& rule, const std::string& guarded) {
  // Not through a link: what it points at would be overwritten.
  FileLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644), path);
  if (lock.file_ < 0)
    return fail(fmt::format("cannot make the lock file {}: {}", path, std::strerror(errno)));
  struct stat made {};
  if (fstat(lock.file_, &made) != 0 || !S_ISREG(made.st_mode) || made.st_nlink != 1) {
    return fail(fmt::format(
        "{} is no file of its own (a link, a pipe or a device): it would be overwritten", path));
  }
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(lock.file_, F_OFD_SETLK, &whole) != 0) {
    if (errno != EAGAIN && errno != EACCES) {
      return fail(fmt::format("cannot lock {}: {}", path, std::strerror(errno)));
    }
    return fail(fmt::format("{} is in use by {}; {}", what, holder_of(lock.file_), rule));
  }
  if (geteuid() == 0) give_to_owner(lock.file_, guarded);
  const std::string holder = std::to_string(getpid());
  if (ftruncate(lock.file_, 0) != 0 || pwrite(lock.file_, holder.data(), holder.size(), 0) < 0) {
    // The number only makes the sentence above better.
  }
  return lock;
}

bool FileLock::in_place() const {
  struct stat held {};
  struct stat there {};
  return fstat(file_, &held) == 0 && stat(path_.c_str(), &there) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

FileLock::FileLock(FileLock&& other) noexcept
    : file_(std::exchange(other.file_, -1)), path_(std::move(other.path_)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  return *this;
}

FileLock::~FileLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace lrtune

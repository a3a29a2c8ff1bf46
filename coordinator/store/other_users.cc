#include "coordinator/store/other_users.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "coordinator/store/file_number.h"

namespace lrtune {
namespace {

// Of the locks on a file, as proc(5) lists them: "1: POSIX  ADVISORY  READ 8598 fe:00:10961847 128
// 128". A lock of an open file description has the process -1.
std::set<pid_t> holders_of(const std::string& path) {
  const FileNumber file = file_number(path);
  const std::string wanted =
      fmt::format("{:02x}:{:02x}:{}", major(file.device), minor(file.device), file.inode);
  std::set<pid_t> holders;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream fields(line);
    std::string number, kind, strictness, access, place;
    pid_t process = 0;
    if (fields >> number >> kind >> strictness >> access >> process >> place && place == wanted)
      holders.insert(process);
  }
  holders.erase(getpid());
  return holders;
}

}  // namespace

OtherUsers::OtherUsers(const std::string& store)
    : store_(store), file_(open(store.c_str(), O_RDONLY | O_CLOEXEC)) {}

OtherUsers::OtherUsers(OtherUsers&& other) noexcept
    : store_(std::move(other.store_)), file_(std::exchange(other.file_, -1)) {}

OtherUsers::~OtherUsers() {
  if (file_ >= 0) close(file_);
}

bool OtherUsers::any_beside(const std::string& index) const {
  if (!any()) return false;
  const std::set<pid_t> of_store = holders_of(store_);
  const std::set<pid_t> of_index = holders_of(index);
  // A container's /proc/locks lacks the processes outside of it.
  return of_store.empty() || of_store.contains(-1) || !std::ranges::includes(of_index, of_store);
}

bool OtherUsers::any() const {
  constexpr off_t kFirstShared = 0x40000002;  // SHARED_FIRST, SHARED_SIZE of SQLite's os.h
  constexpr off_t kSharedBytes = 510;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kFirstShared;
  lock.l_len = kSharedBytes;
  return fcntl(file_, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

}  // namespace lrtune

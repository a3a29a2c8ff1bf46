#include "worker/checkpoints/checkpoint_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace lrtune {
namespace {

constexpr std::string_view kEnding = ".checkpoint";
constexpr std::string_view kUnfinished = ".unfinished";

auto failed(const std::string& what, const std::filesystem::path& path) {
  return fail(fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

// Closes a descriptor when it goes.
class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, int flags)
      : number_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~OpenFile() {
    if (number_ >= 0) ::close(number_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  explicit operator bool() const { return number_ >= 0; }
  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool read_all(int file, std::string& bytes) {
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t count = ::read(file, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) break;  // shorter than it was: its SHA-256 will not fit
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return true;
}

// Removes the file unless somebody holds it. True: it is gone.
bool remove_unheld(const std::filesystem::path& path) {
  const OpenFile file(path, O_RDWR);
  if (!file) return errno == ENOENT;
  if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) return false;
  return ::unlink(path.c_str()) == 0 || errno == ENOENT;
}

bool sync_folder(const std::filesystem::path& folder) {
  const OpenFile file(folder, O_RDONLY | O_DIRECTORY);
  return file && ::fsync(file.number()) == 0;
}

struct Entry {
  std::filesystem::path path;
  std::int64_t bytes = 0;
  timespec used{};
};

bool used_before(const Entry& a, const Entry& b) {
  return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
}

// Checkpoints and unfinished ones, the longest unused first. Files that go meanwhile are left out.
std::vector<Entry> entries_of(const std::filesystem::path& folder) {
  std::vector<Entry> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::filesystem::path& path = it->path();
    if (path.extension() != kEnding && path.extension() != kUnfinished) continue;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) continue;
    entries.push_back({path, status.st_size, status.st_mtim});
  }
  std::sort(entries.begin(), entries.end(), used_before);
  return entries;
}

// One name for each writing, also among processes.
std::filesystem::path unfinished_name(const std::filesystem::path& file) {
  static std::atomic<unsigned> counter{0};
  return file.parent_path() / fmt::format("{}.{}.{}{}", file.stem().string(), ::getpid(),
                                          counter.fetch_add(1), kUnfinished);
}

}  // namespace

CheckpointHold::CheckpointHold(CheckpointHold&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

CheckpointHold& CheckpointHold::operator=(CheckpointHold&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

CheckpointHold::~CheckpointHold() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::unique_ptr<CheckpointFolder>> CheckpointFolder::open(std::filesystem::path folder,
                                                                 std::int64_t budget) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return fail(fmt::format("cannot make the folder of checkpoints {}: {}", folder.string(),
                            error.message()));
  }
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0)
    return failed("write into the folder of checkpoints", folder);
  return std::unique_ptr<CheckpointFolder>(new CheckpointFolder(std::move(folder), budget));
}

std::filesystem::path CheckpointFolder::file_of(const Digest& state) const {
  return folder_ / (state.hex() + std::string(kEnding));
}

std::unordered_set<Digest> CheckpointFolder::states() const {
  std::unordered_set<Digest> states;
  for (const Entry& entry : entries_of(folder_)) {
    if (entry.path.extension() != kEnding) continue;
    if (const auto state = Digest::from_hex(entry.path.stem().string())) states.insert(*state);
  }
  return states;
}

Result<HeldCheckpoint> CheckpointFolder::load(const Digest& state) {
  const std::filesystem::path path = file_of(state);
  OpenFile file(path, O_RDONLY);
  if (!file) return failed("open", path);
  struct stat status {};
  if (::flock(file.number(), LOCK_SH) != 0 || ::fstat(file.number(), &status) != 0)
    return failed("use", path);
  if (status.st_nlink == 0) return fail(fmt::format("{} was removed", path.string()));
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  if (!read_all(file.number(), bytes)) return failed("read", path);
  auto checkpoint = decode_checkpoint(bytes);
  if (checkpoint && checkpoint->state != state) checkpoint = fail("it is that of another state");
  if (!checkpoint) {
    ::unlink(path.c_str());
    return fail(fmt::format("the checkpoint {} is of no use and was removed: {}", path.string(),
                            checkpoint.error().message));
  }
  ::futimens(file.number(), nullptr);  // used now; without the right to say so it goes earlier
  return HeldCheckpoint{*std::move(checkpoint), CheckpointHold(file.release())};
}

// The size is taken under a lock of the folder, by a file of that size, so that several processes
// together stay within the budget too.
Result<CheckpointHold> CheckpointFolder::save(const Checkpoint& checkpoint) {
  const std::string bytes = encode(checkpoint);
  const std::filesystem::path path = file_of(checkpoint.state);
  const std::filesystem::path unfinished = unfinished_name(path);
  const auto size = static_cast<off_t>(bytes.size());

  OpenFile lock(folder_ / "lock", O_RDWR | O_CREAT);
  if (!lock || ::flock(lock.number(), LOCK_EX) != 0) return failed("lock", folder_ / "lock");
  if (auto room = make_room(size); !room) return tl::unexpected(room.error());
  OpenFile file(unfinished, O_RDWR | O_CREAT | O_EXCL);
  if (!file) return failed("make", unfinished);
  bool written = ::flock(file.number(), LOCK_SH) == 0;
  if (const int error = ::posix_fallocate(file.number(), 0, size); error != 0) {
    errno = error;
    written = false;
  }
  ::flock(lock.number(), LOCK_UN);

  written = written && write_all(file.number(), bytes) && ::fsync(file.number()) == 0 &&
            ::rename(unfinished.c_str(), path.c_str()) == 0;
  if (!written) {
    auto error = failed("write", unfinished);
    ::unlink(unfinished.c_str());
    return error;
  }
  if (!sync_folder(folder_)) return failed("sync", folder_);
  return CheckpointHold(file.release());
}

void CheckpointFolder::remove(const Digest& state) { remove_unheld(file_of(state)); }

// An unfinished file that nobody holds is what a process left that died.
Result<void> CheckpointFolder::make_room(std::int64_t bytes) {
  std::int64_t used = 0;
  std::vector<Entry> entries = entries_of(folder_);
  for (Entry& entry : entries) {
    if (entry.path.extension() == kUnfinished && remove_unheld(entry.path)) entry.bytes = 0;
    used += entry.bytes;
  }
  for (const Entry& entry : entries) {
    if (used + bytes <= budget_) return {};
    if (entry.bytes > 0 && remove_unheld(entry.path)) used -= entry.bytes;
  }
  if (used + bytes <= budget_) return {};
  return fail(
      fmt::format("a checkpoint of {} bytes does not fit into {}: {} of its {} bytes are in use",
                  bytes, folder_.string(), used, budget_));
}

}  // namespace lrtune

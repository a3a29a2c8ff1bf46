#include "worker/checkpoints/checkpoint_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "worker/checkpoints/file_calls.h"

namespace lrtune {
namespace {

// Removes the file unless somebody holds it. True: it is gone.
bool remove_unheld(const std::filesystem::path& path) {
  const OpenFile file(path, O_RDWR);
  if (!file) return errno == ENOENT;
  if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) return false;
  return ::unlink(path.c_str()) == 0 || errno == ENOENT;
}

constexpr std::int64_t kBlockBytes = 512;  // of st_blocks
constexpr std::size_t kDigestBytes = 32;

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
    if (path.extension() != kCheckpointEnding && path.extension() != kUnfinishedEnding &&
        path.extension() != kArrivingEnding)
      continue;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) continue;
    // What arrives has its room from the start, but not its length.
    const std::int64_t bytes =
        std::max<std::int64_t>(status.st_size, status.st_blocks * kBlockBytes);
    const bool arriving = path.extension() == kArrivingEnding;
    entries.push_back({path, arriving ? bytes : status.st_size, status.st_mtim});
  }
  std::sort(entries.begin(), entries.end(), used_before);
  return entries;
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

Result<std::string> CheckpointFile::read(std::int64_t offset, std::int64_t count) const {
  std::string bytes(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, size_ - offset)),
                    '\0');
  if (!read_all(hold_.descriptor(), bytes, offset)) return failed_call("read", path_);
  return bytes;  // shorter if the file is: its SHA-256 will not fit
}

Result<Digest> CheckpointFile::digest() const {
  constexpr std::int64_t kBytes = kDigestBytes;
  Digest digest;
  const auto end = read(std::max<std::int64_t>(0, size_ - kBytes), kBytes);
  if (!end) return tl::unexpected(end.error());
  if (end->size() != kDigestBytes) return fail(fmt::format("{} is cut off", path_.string()));
  std::copy(end->begin(), end->end(), digest.bytes.begin());
  return digest;
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
    return failed_call("write into the folder of checkpoints", folder);
  return std::unique_ptr<CheckpointFolder>(new CheckpointFolder(std::move(folder), budget));
}

std::filesystem::path CheckpointFolder::file_of(const Digest& state) const {
  return folder_ / (state.hex() + std::string(kCheckpointEnding));
}

std::unordered_set<Digest> CheckpointFolder::states() const {
  std::unordered_set<Digest> states;
  for (const Entry& entry : entries_of(folder_)) {
    if (entry.path.extension() != kCheckpointEnding) continue;
    if (const auto state = Digest::from_hex(entry.path.stem().string())) states.insert(*state);
  }
  return states;
}

Result<CheckpointFile> CheckpointFolder::open_file(const Digest& state) const {
  const std::filesystem::path path = file_of(state);
  OpenFile file(path, O_RDONLY);
  if (!file) return failed_call("open", path);
  struct stat status {};
  if (::flock(file.number(), LOCK_SH) != 0 || ::fstat(file.number(), &status) != 0)
    return failed_call("use", path);
  if (status.st_nlink == 0) return fail(fmt::format("{} was removed", path.string()));
  ::futimens(file.number(), nullptr);  // used now; without the right to say so it goes earlier
  return CheckpointFile(path, CheckpointHold(file.release()), status.st_size);
}

Result<HeldCheckpoint> CheckpointFolder::load(const Digest& state) {
  auto file = open_file(state);
  if (!file) return tl::unexpected(std::move(file.error()));
  const auto bytes = file->read(0, file->size());
  if (!bytes) return tl::unexpected(bytes.error());
  auto checkpoint = decode_checkpoint(*bytes);
  if (checkpoint && checkpoint->state != state) checkpoint = fail("it is that of another state");
  if (!checkpoint) {
    ::unlink(file_of(state).c_str());
    return fail(fmt::format("the checkpoint {} is of no use and was removed: {}",
                            file_of(state).string(), checkpoint.error().message));
  }
  return HeldCheckpoint{*std::move(checkpoint), std::move(*file).hold()};
}

// The size is taken under a lock of the folder, by a file of that size, so that several processes
// together stay within the budget too.
Result<CheckpointHold> CheckpointFolder::save(const Checkpoint& checkpoint) {
  const std::string bytes = encode(checkpoint);
  const std::filesystem::path path = file_of(checkpoint.state);
  const std::filesystem::path unfinished = name_of_its_own(path, kUnfinishedEnding);
  const auto size = static_cast<off_t>(bytes.size());

  OpenFile lock(folder_ / "lock", O_RDWR | O_CREAT);
  if (!lock || ::flock(lock.number(), LOCK_EX) != 0) return failed_call("lock", folder_ / "lock");
  if (auto room = make_room(size); !room) return tl::unexpected(room.error());
  OpenFile file(unfinished, O_RDWR | O_CREAT | O_EXCL);
  if (!file) return failed_call("make", unfinished);
  bool written = ::flock(file.number(), LOCK_SH) == 0;
  if (const int error = ::posix_fallocate(file.number(), 0, size); error != 0) {
    errno = error;
    written = false;
  }
  ::flock(lock.number(), LOCK_UN);

  written = written && write_all(file.number(), bytes, 0) && ::fsync(file.number()) == 0 &&
            ::rename(unfinished.c_str(), path.c_str()) == 0;
  if (!written) {
    auto error = failed_call("write", unfinished);
    ::unlink(unfinished.c_str());
    return error;
  }
  if (!sync_folder(folder_)) return failed_call("sync", folder_);
  return CheckpointHold(file.release());
}

void CheckpointFolder::remove(const Digest& state) { remove_unheld(file_of(state)); }

// An unfinished file that nobody holds is what a process left that died.
Result<void> CheckpointFolder::make_room(std::int64_t bytes) {
  std::int64_t used = 0;
  std::vector<Entry> entries = entries_of(folder_);
  for (Entry& entry : entries) {
    if (entry.path.extension() == kUnfinishedEnding && remove_unheld(entry.path)) entry.bytes = 0;
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

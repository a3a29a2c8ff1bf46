#include "worker/checkpoints/arriving_checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "worker/checkpoints/checkpoint.h"

namespace lrtune {
namespace {

constexpr std::size_t kDigestDigits = 16;  // of the digest in a file's name: enough to tell apart

// Two that receive the same checkpoint into one folder do not write the same file: the second
// begins one of its own.
Result<std::pair<OpenFile, std::filesystem::path>> open_alone(const std::filesystem::path& path) {
  for (const auto& name : {path, name_of_its_own(path, kArrivingEnding)}) {
    OpenFile file(name, O_RDWR | O_CREAT);
    if (!file) return failed_call("make", name);
    if (::flock(file.number(), LOCK_EX | LOCK_NB) == 0) return std::pair(std::move(file), name);
  }
  return failed_call("lock", path);
}

}  // namespace

// The room is taken under a lock of the folder, as CheckpointFolder::save does.
Result<std::unique_ptr<ArrivingCheckpoint>> CheckpointFolder::receive(const Digest& state,
                                                                      const Digest& digest,
                                                                      std::int64_t size) {
  const std::filesystem::path name =
      folder_ /
      fmt::format("{}.{}{}", state.hex(), digest.hex().substr(0, kDigestDigits), kArrivingEnding);
  OpenFile lock(folder_ / "lock", O_RDWR | O_CREAT);
  if (!lock || ::flock(lock.number(), LOCK_EX) != 0) return failed_call("lock", folder_ / "lock");
  auto opened = open_alone(name);
  if (!opened) return tl::unexpected(opened.error());
  auto& [file, path] = *opened;
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return failed_call("use", path);
  std::int64_t received = status.st_size;
  if (received > size && ::ftruncate(file.number(), received = 0) != 0)
    return failed_call("use", path);
  auto room = received == 0 ? make_room(size) : Result<void>();  // else it has its room
  if (room && ::fallocate(file.number(), FALLOC_FL_KEEP_SIZE, 0, size) != 0 &&
      errno != EOPNOTSUPP) {
    room = failed_call("make", path);
  }
  if (!room) {
    if (received == 0) ::unlink(path.c_str());
    return tl::unexpected(room.error());
  }
  return std::make_unique<ArrivingCheckpoint>(
      std::move(file), path, file_of(state),
      ArrivingCheckpoint::Expected{.state = state, .digest = digest, .size = size}, received);
}

ArrivingCheckpoint::ArrivingCheckpoint(OpenFile file, std::filesystem::path path,
                                       std::filesystem::path target, const Expected& expected,
                                       std::int64_t received)
    : file_(std::move(file)),
      path_(std::move(path)),
      target_(std::move(target)),
      expected_(expected),
      received_(received) {}

Result<void> ArrivingCheckpoint::append(std::string_view bytes) {
  if (std::ssize(bytes) > expected_.size - received_) {
    return fail(fmt::format("{} bytes more than the {} of the checkpoint",
                            std::ssize(bytes) - (expected_.size - received_), expected_.size));
  }
  if (!write_all(file_.number(), bytes, received_)) {
    auto error = failed_call("write", path_);
    if (::ftruncate(file_.number(), received_) != 0) ::unlink(path_.c_str());
    return error;
  }
  received_ += std::ssize(bytes);
  return {};
}

Result<void> ArrivingCheckpoint::verify() const {
  std::string bytes(static_cast<std::size_t>(expected_.size), '\0');
  if (!read_all(file_.number(), bytes, 0)) return failed_call("read", path_);
  const auto checkpoint = decode_checkpoint(bytes);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  if (checkpoint->state != expected_.state) return fail("it is that of another state");
  const std::string_view end =
      std::string_view(bytes).substr(bytes.size() - expected_.digest.bytes.size());
  const bool same =
      std::equal(end.begin(), end.end(), expected_.digest.bytes.begin(),
                 [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
  if (!same) return fail("its SHA-256 is not that of the offer");
  return {};
}

// Its lock becomes a shared one, as who uses a checkpoint has it.
Result<CheckpointHold> ArrivingCheckpoint::finish() {
  if (auto verified = verify(); !verified) {
    ::unlink(path_.c_str());
    return fail(fmt::format("the checkpoint of state {:.12} that came is of no use: {}",
                            expected_.state.hex(), verified.error().message));
  }
  const bool kept = ::flock(file_.number(), LOCK_SH) == 0 && ::fsync(file_.number()) == 0 &&
                    ::rename(path_.c_str(), target_.c_str()) == 0;
  if (!kept) {
    auto error = failed_call("keep", path_);
    ::unlink(path_.c_str());
    return error;
  }
  if (!sync_folder(target_.parent_path())) return failed_call("sync", target_.parent_path());
  return CheckpointHold(file_.release());
}

}  // namespace lrtune

// Checkpoints as files: durable before they count, looked up by the state's name, kept within a
// size budget.
//
// FOLDER/<state, 64 hexadecimal digits>.checkpoint is one checkpoint. It is written under another
// name, synced and renamed, so a file with that name is whole unless the disk damaged it; its
// SHA-256 tells. Several processes may share a folder, also over a network file system with
// flock(2). Who uses a file holds a shared flock on it; who needs room removes the files that
// nobody holds, the longest unused first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <unordered_set>

#include "common/hash.h"
#include "common/result.h"
#include "worker/checkpoints/checkpoint.h"

namespace lrtune {

// As long as it lives, no process removes the checkpoint to make room.
class CheckpointHold {
 public:
  CheckpointHold() = default;
  explicit CheckpointHold(int descriptor) : descriptor_(descriptor) {}
  CheckpointHold(CheckpointHold&& other) noexcept;
  CheckpointHold& operator=(CheckpointHold&& other) noexcept;
  ~CheckpointHold();

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;  // owned; holds a shared flock
};

struct HeldCheckpoint {
  Checkpoint checkpoint;
  CheckpointHold hold;
};

// The bytes of a checkpoint, for a peer that wants them. Holds it.
class CheckpointFile {
 public:
  CheckpointFile(std::filesystem::path path, CheckpointHold hold, std::int64_t size)
      : path_(std::move(path)), hold_(std::move(hold)), size_(size) {}

  std::int64_t size() const { return size_; }
  // Its last 32 bytes, which are the SHA-256 of all before them. Errors: I/O, it is shorter.
  Result<Digest> digest() const;
  // REQUIRES: 0 <= offset <= size(). Fewer at the end. Errors: I/O.
  Result<std::string> read(std::int64_t offset, std::int64_t count) const;
  CheckpointHold hold() && { return std::move(hold_); }

 private:
  std::filesystem::path path_;
  CheckpointHold hold_;
  std::int64_t size_;
};

class ArrivingCheckpoint;

// Any thread; calls of several threads and processes on one folder do not disturb each other.
class CheckpointFolder {
 public:
  // Makes the folder if it is not there. `budget`: bytes that the checkpoints may take together.
  // Errors: the folder cannot be made or written.
  static Result<std::unique_ptr<CheckpointFolder>> open(std::filesystem::path folder,
                                                        std::int64_t budget);

  // The states whose checkpoints are there now.
  std::unordered_set<Digest> states() const;

  // Errors: it is not there (any more), cannot be read, or is not whole; one that is not whole is
  // removed.
  Result<HeldCheckpoint> load(const Digest& state);

  // The file as it is, unchecked. Errors: it is not there (any more), cannot be opened.
  Result<CheckpointFile> open_file(const Digest& state) const;

  // A checkpoint of `size` bytes whose last 32 are `digest` comes from elsewhere, chunk by chunk
  // (arriving_checkpoint.h). What is there of it from an earlier time is kept. Errors: no room
  // within the budget, disk full, I/O.
  Result<std::unique_ptr<ArrivingCheckpoint>> receive(const Digest& state, const Digest& digest,
                                                      std::int64_t size);

  // On disk when it returns; one of the same state is replaced. Errors: no room within the budget
  // beside what is held, disk full, I/O; nothing is left behind then.
  Result<CheckpointHold> save(const Checkpoint& checkpoint);

  // Removes it if nobody holds it.
  void remove(const Digest& state);

  const std::filesystem::path& path() const { return folder_; }

 private:
  CheckpointFolder(std::filesystem::path folder, std::int64_t budget)
      : folder_(std::move(folder)), budget_(budget) {}
  std::filesystem::path file_of(const Digest& state) const;
  Result<void> make_room(std::int64_t bytes);

  std::filesystem::path folder_;
  std::int64_t budget_;
};

}  // namespace lrtune

// A checkpoint that comes chunk by chunk from another machine. What has come stays in the folder,
// as STATE.DIGEST.arriving, so that the rest can follow after an interruption of either side; it
// becomes a checkpoint when it is whole, is what its digest says, and is on disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "common/hash.h"
#include "common/result.h"
#include "worker/checkpoints/checkpoint_folder.h"
#include "worker/checkpoints/file_calls.h"

namespace lrtune {

// One thread at a time. Made by CheckpointFolder::receive.
class ArrivingCheckpoint {
 public:
  struct Expected {
    Digest state;
    Digest digest;  // the file's last 32 bytes
    std::int64_t size = 0;
  };
  // `file`: open for reading and writing, locked for its owner alone.
  ArrivingCheckpoint(OpenFile file, std::filesystem::path path, std::filesystem::path target,
                     const Expected& expected, std::int64_t received);

  const Expected& expected() const { return expected_; }
  std::int64_t received() const { return received_; }  // bytes from the start
  bool complete() const { return received_ == expected_.size; }

  // The next bytes. Errors: disk full, I/O, more than the size; nothing has changed then.
  Result<void> append(std::string_view bytes);

  // REQUIRES: complete(). Errors: it is not what was expected, I/O. Nothing of it stays then. Once.
  Result<CheckpointHold> finish();

 private:
  Result<void> verify() const;

  OpenFile file_;
  std::filesystem::path path_;
  std::filesystem::path target_;
  Expected expected_;
  std::int64_t received_;
};

}  // namespace lrtune

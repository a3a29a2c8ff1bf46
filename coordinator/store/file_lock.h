// A lock between processes, as a file.
#pragma once

#include <string>

#include "common/result.h"

namespace lrtune {

// An open-file-description lock. It ends with this object or the process, whatever way it dies; the
// file stays, with the holder's process id in it for people.
class FileLock {
 public:
  // `what` is locked, e.g. "the store a.db", and `rule` says why one at a time. Errors: another
  // process has it (one sentence that names it), the file cannot be made.
  static Result<FileLock> take(const std::string& path, const std::string& what,
                               const std::string& rule);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int file) : file_(file) {}
  int file_ = -1;
};

}  // namespace lrtune

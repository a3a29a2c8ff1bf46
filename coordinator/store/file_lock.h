// A lock between processes, as a file.
#pragma once

#include <string>
#include <utility>

#include "common/result.h"

namespace lrtune {

// An open-file-description lock. It ends with this object or the process, whatever way it dies; the
// file stays, with the holder's process id in it for people.
class FileLock {
 public:
  // `what` is locked, e.g. "the store a.db", and `rule` says why one at a time. Errors: another
  // process has it (one sentence that names it), the file cannot be made, it is a symbolic link. A
  // file that root makes is given to the owner of `guarded`, if that is there, who must be able to
  // take it later.
  static Result<FileLock> take(const std::string& path, const std::string& what,
                               const std::string& rule, const std::string& guarded);
  // Whether the file is still where it was taken: another process may have removed or replaced it,
  // and a third one locked the new one.
  bool in_place() const;
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  FileLock(int file, std::string path) : file_(file), path_(std::move(path)) {}
  int file_ = -1;
  std::string path_;
};

}  // namespace lrtune

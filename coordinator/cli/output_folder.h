// The folder that a run writes: tables, plots and, in logs/, what coordinator and workers say.
#pragma once

#include <filesystem>
#include <string>

#include "common/result.h"
#include "coordinator/store/file_lock.h"

namespace lrtune {

// One run at a time: two stores may hold the same experiment, and both runs would write here.
class OutputFolder {
 public:
  // Makes the folder and logs/ in it, and locks them until the object goes. Errors: it cannot be
  // made, another run writes it.
  static Result<OutputFolder> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path logs() const { return path_ / "logs"; }

 private:
  OutputFolder(std::filesystem::path path, FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  FileLock lock_;
};

// Logs are appended to. A log that has lines of an earlier run gets one that says when and as which
// process this run begins.
void mark_new_run(const std::filesystem::path& log);

// The last `lines` lines that a log has of its last run, indented; fewer if there are fewer; empty
// if it cannot be read.
std::string end_of_log(const std::filesystem::path& log, int lines);

}  // namespace lrtune

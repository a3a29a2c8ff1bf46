// Which file a path leads to. Private to coordinator/store.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace lrtune {

// Zeros: there is none. Two are equal if they are the same file, under whatever names.
struct FileNumber {
  dev_t device = 0;
  ino_t inode = 0;
  nlink_t names = 0;
  std::int64_t bytes = 0;
  bool exists() const { return inode != 0; }
  bool operator==(const FileNumber& other) const {
    return device == other.device && inode == other.inode;
  }
};

inline FileNumber file_number(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_nlink, status.st_size};
}

}  // namespace lrtune

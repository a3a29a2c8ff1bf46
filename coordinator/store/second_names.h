// The write-ahead log of a store (PATH-wal) holds what was acknowledged since the last checkpoint,
// and looks like something that can be removed. So it has a second name (a hard link), PATH.wal, as
// long as a coordinator has the store open and after one that was killed; and so has the log's
// index (PATH-shm, PATH.shm), through which readers see it. Private to coordinator/store.
#pragma once

#include <array>
#include <string>

#include "coordinator/store/file_number.h"

namespace lrtune {

inline std::string second_name_of_log(const std::string& store) { return store + ".wal"; }

// One thread, which holds the store's lock. Opens no file: closing one would give up the locks that
// this process has on it (fcntl(2)). Where a file system has no hard links it does nothing.
class SecondNames {
 public:
  explicit SecondNames(const std::string& store);

  // Gives second names to the files that are there now, and takes older ones away: check_log() has
  // said that nothing depends on them.
  void begin();

  // Gives the files of begin() back the names that they have lost since, the second ones too. An
  // empty file in their place, as a reader makes it, is replaced; any other is left. Returns the
  // paths that were given back, with ", " between them.
  std::string mend();

  // Before SQLite closes the store in order, and removes both files.
  void end();

 private:
  struct Named {
    std::string first, second;
    bool replaces_any;  // the index can be made anew from the log, by whoever made another
    FileNumber file = {};
    bool mend() const;
  };
  std::array<Named, 2> files_;
};

}  // namespace lrtune

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

// Whatever stands under `name` makes room for `file`'s further name, with no moment without a file.
// False: errno says why not.
bool give_name(const std::string& file, const std::string& name);

// One thread, which holds the store's lock. Opens no file: closing one would give up the locks that
// this process has on it (fcntl(2)). Where a file system has no hard links it does nothing.
class SecondNames {
 public:
  explicit SecondNames(const std::string& store);

  // Gives second names to the files that are there now, and takes older ones away: check_log() has
  // said that nothing depends on them.
  void begin();

  // Gives the files of begin() back the names that they have lost since, the second ones too. An
  // empty log in its place, as a reader makes it, and any index, are replaced; another log is left.
  struct Mended {
    bool log = false;
    bool index = false;  // somebody may have made another one, and go on with it
    bool lost = false;   // the index has no name any more
  };
  Mended mend();

  // Before SQLite closes the store in order, and removes both files.
  void end();

 private:
  struct Named {
    std::string first, second;
    bool replaces_any;  // the index can be made anew from the log, by whoever made another
    FileNumber file = {};
    bool mend() const;
    bool in_place() const { return !file.exists() || file_number(first) == file; }
  };
  std::array<Named, 2> files_;
};

}  // namespace lrtune

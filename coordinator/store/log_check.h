// Damage of a write-ahead log, which SQLite passes over: it reads a log to its first bad frame and
// forgets the commits behind it. Private to coordinator/store.
#pragma once

#include <string>

#include "common/result.h"

namespace lrtune {

// Whether the log of the store at `path` (PATH-wal, https://sqlite.org/fileformat2.html#walformat)
// can be read to its end. A commit that a crash left half written is no damage: it was not
// acknowledged. Damage is a bad frame with more than one commit behind it, since a commit is only
// begun when the one before it is on disk, and a header that does not fit its checksum. Damage of
// the last commit cannot be told from a crash. May run beside a writer.
//
// It is an error, too, if the log was removed, or another one put in its place, and its second name
// (second_names.h) still leads to commits that the store has not. May run while this process has
// the store open: the store's file itself is only read through SQLite.
Result<void> check_log(const std::string& path);

}  // namespace lrtune

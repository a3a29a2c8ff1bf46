// What to do with the write-ahead log of a store before SQLite sees it. Private to
// coordinator/store.
#pragma once

#include <string>

#include "common/result.h"

namespace lrtune {

// Whether the log of the store at `path` (PATH-wal) can be read to its end, which SQLite passes
// over: it reads a log to its first bad frame and forgets the commits behind it. A commit that a
// crash left half written is no damage: it was not acknowledged. Damage is a bad frame with more
// than one commit behind it, since a commit is only begun when the one before it is on disk, and a
// header that does not fit its checksum. Damage of the last commit cannot be told from a crash. May
// run beside a writer.
//
// It is an error, too, if PATH-wal was removed, or another one put in its place, and its second
// name (second_names.h) still leads to commits that the store has not. May run while this process
// has the store open: the store's file itself is only read through SQLite.
Result<void> check_log(const std::string& path);

// Puts the log that belongs to the store at `path` in its place, by its second name, and another
// one that stood there aside, under PATH-wal.aside. Returns what was done, a sentence, "" for
// nothing. An error if the log under the second name does not fit the store any more: what was
// acknowledged may be in it. The caller holds the store's lock, and this process has not opened the
// store. Throws std::runtime_error if a file cannot be read.
Result<std::string> put_log_in_place(const std::string& path);

// Takes the index (PATH-shm) away if it does not describe the log: SQLite would believe it as long
// as somebody has it open, and not read the log. Whoever had it open goes on with it, and with what
// the log was then. One that a crash left a commit behind its log is right: that commit was not
// acknowledged, and its users are ours; not so if the log was `put_back`. As put_log_in_place().
void drop_wrong_index(const std::string& path, bool put_back);

}  // namespace lrtune

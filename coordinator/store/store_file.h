// The store as a file: where it may lie, who may write it, how it is opened. Private to
// coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace lrtune {

// The name of a network file system by the number that statfs(2) gives (f_type), and for FUSE by
// its type in /proc/self/mountinfo ("fuse.sshfs"); none for a local one.
std::optional<std::string_view> network_file_system(std::int64_t magic, std::string_view fuse_type);

// An error that says why, if the folder lies on a network file system or is not there.
Result<void> check_folder(const std::string& folder);

// The path of the file that `path` leads to through all links, as SQLite takes it, also where that
// file is not there yet: log, index, their second names and the lock stand beside it, under its
// name. Errors: a link that leads in a circle, a folder that cannot be read.
Result<std::string> real_store_path(const std::string& path);

// Into the transaction that is open, which is to begin the log: by the first page
// put_log_in_place() knows whose log it is. Throws SQLite::Exception.
void write_page_one(SQLite::Database& database);

// What the write-ahead log holds goes into the database, and the log starts anew; false if somebody
// reads an older state of it just now. So no frame of a log that is read later is in the database
// already: a log that lost its end is an older store, never a mixture. Waits for nobody. Throws
// SQLite::Exception.
bool empty_log(SQLite::Database& database);

// Whether the log may be emptied when the store is opened.
enum class OpenLog : std::uint8_t { kEmptied, kKept };

// Opens for writing with the settings that SCHEMA.md promises, making and migrating it;
// `schema_before` is the schema that it had. The caller holds the lock.
Result<std::unique_ptr<SQLite::Database>> open_for_writing(const std::string& path, OpenLog log,
                                                           int& schema_before);

// Whether there is a store, or what may be one: an empty file without a log is none. Errors say so.
// `path` as real_store_path().
Result<void> check_there(const std::string& path);

// The file without any log, as if it never changed. Throws SQLite::Exception.
std::unique_ptr<SQLite::Database> open_as_it_stands(const std::string& path);

// Opens for reading only; beside a writer, and without one. The file must be a store of the present
// schema. In a folder that cannot be written, where SQLite could not make the memory that readers
// and writers share, a store that was closed in order is read as a file that does not change.
Result<std::unique_ptr<SQLite::Database>> open_for_reading(const std::string& path);

// The same for a store of this or an older schema.
Result<std::unique_ptr<SQLite::Database>> open_any_schema(const std::string& path);

}  // namespace lrtune

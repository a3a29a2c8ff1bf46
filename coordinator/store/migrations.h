// The store's schema as numbered steps. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <span>
#include <string>

#include "common/result.h"

namespace lrtune {

// "lrTu": tells an lrtune store from any other SQLite database (PRAGMA application_id).
inline constexpr int kApplicationId = 0x6c725475;

struct Migration {
  int version;      // of the schema after it; 1, 2, 3 ... without a gap
  const char* sql;  // statements, carried out in one transaction
};

std::span<const Migration> all_migrations();

// The version that this program reads and writes: PRAGMA user_version of a store that is up to
// date.
int schema_version();

// What a file is, before anything is changed in it.
enum class StoreKind { kEmpty, kStore, kForeign };
StoreKind store_kind(SQLite::Database& database);
int version_of(SQLite::Database& database);

// Brings the database at `path` to the last of `migrations`, each in its own transaction. Before
// each step the whole database is copied to PATH.schemaVERSION.backup, unless it was empty.
// Errors leave the last version reached.
Result<void> migrate(SQLite::Database& database, const std::string& path,
                     std::span<const Migration> migrations);

// A complete copy of the database, in `path`, which must not be there; on disk when it returns. It
// has no history yet. Throws std::exception.
void copy_store(SQLite::Database& database, const std::string& path);

// Of a copy that has none, when it is opened for writing. The database has the present schema.
// Throws SQLite::Exception.
void begin_history(SQLite::Database& database);

// Store::history(): when the store was made, or the copy that it is was opened first. Throws
// SQLite::Exception.
std::string history_of(SQLite::Database& database);

// Gives a copy its final name, durably. Throws std::exception.
void keep_copy(const std::string& unfinished, const std::string& path);

}  // namespace lrtune

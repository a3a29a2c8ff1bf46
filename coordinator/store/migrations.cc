#include "coordinator/store/migrations.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>

#include "coordinator/store/row_checksum.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

// Makes the bytes of `path` survive a crash of the machine; for a folder, its entries.
void sync_to_disk(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 || fsync(file) != 0) {
    const int error = errno;
    if (file >= 0) close(file);
    throw std::system_error(error, std::generic_category(), path);
  }
  close(file);
}

// What the store acknowledges from now on the copy does not know: it has a history of its own,
// which begins when a coordinator opens it, as often as it is put in a store's place.
void end_history(const std::string& path) {
  constexpr int kSchemaOfChecksums = 5;
  SQLite::Database copy(path, SQLite::OPEN_READWRITE);
  add_checksum_function(copy);
  if (!copy.tableExists("store")) return;
  // A damaged row stays what it is.
  copy.exec(version_of(copy) < kSchemaOfChecksums
                ? "UPDATE store SET created_at = -abs(created_at)"
                : "UPDATE store SET created_at = -abs(created_at), "
                  "checksum = row_checksum('store', one, -abs(created_at), recoveries) "
                  "WHERE checksum = row_checksum('store', one, created_at, recoveries)");
}

// A complete copy, under its final name only when it is whole and on disk.
void back_up(SQLite::Database& database, const std::string& path) {
  const std::string unfinished = path + ".unfinished";
  std::filesystem::remove(unfinished);
  copy_store(database, unfinished);
  keep_copy(unfinished, path);
}

// A step may rebuild a table that others refer to, so references are checked at its end, not on the
// way.
class ReferencesUnchecked {
 public:
  explicit ReferencesUnchecked(SQLite::Database& database) : database_(database) {
    database_.exec("PRAGMA foreign_keys = OFF");
  }
  ~ReferencesUnchecked() { database_.tryExec("PRAGMA foreign_keys = ON"); }
  ReferencesUnchecked(const ReferencesUnchecked&) = delete;
  ReferencesUnchecked& operator=(const ReferencesUnchecked&) = delete;

 private:
  SQLite::Database& database_;
};

void carry_out(SQLite::Database& database, const Migration& migration) {
  const ReferencesUnchecked unchecked(database);
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  database.exec(migration.sql);
  SQLite::Statement broken(database, "PRAGMA foreign_key_check");
  if (broken.executeStep()) {
    throw std::runtime_error(
        fmt::format("table {} refers to rows that are not there", broken.getColumn(0).getString()));
  }
  broken.reset();
  database.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId,
                            migration.version));
  transaction.commit();
}

}  // namespace

void copy_store(SQLite::Database& database, const std::string& path) {
  SQLite::Statement copy(database, "VACUUM INTO ?");
  copy.bind(1, path);
  copy.exec();
  end_history(path);
  sync_to_disk(path);
}

void begin_history(SQLite::Database& database) {
  if (database.execAndGet("SELECT created_at FROM store").getInt64() > 0) return;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  // The clock may stand still or be behind.
  const std::string made =
      fmt::format("max({}, 1 - created_at) + {}", now, std::random_device()() % 1000);
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  write_page_one(database);
  database.exec(fmt::format(
      "UPDATE store SET created_at = {0}, checksum = row_checksum('store', one, {0}, recoveries) "
      "WHERE checksum = row_checksum('store', one, created_at, recoveries)",
      made));
  transaction.commit();
}

std::string history_of(SQLite::Database& database) {
  return fmt::format("{:x}",
                     std::abs(database.execAndGet("SELECT created_at FROM store").getInt64()));
}

void keep_copy(const std::string& unfinished, const std::string& path) {
  std::filesystem::rename(unfinished, path);
  sync_to_disk(std::filesystem::absolute(path).parent_path().string());
}

int version_of(SQLite::Database& database) {
  return database.execAndGet("PRAGMA user_version").getInt();
}

StoreKind store_kind(SQLite::Database& database) {
  const int application = database.execAndGet("PRAGMA application_id").getInt();
  if (application == kApplicationId) return StoreKind::kStore;
  const int objects = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
  return application == 0 && objects == 0 && version_of(database) == 0 ? StoreKind::kEmpty
                                                                       : StoreKind::kForeign;
}

Result<void> migrate(SQLite::Database& database, const std::string& path,
                     std::span<const Migration> migrations) {
  const bool is_new = version_of(database) == 0;  // then there is nothing to lose
  for (const Migration& migration : migrations) {
    const int version = version_of(database);
    if (version >= migration.version) continue;
    try {
      if (!is_new) back_up(database, fmt::format("{}.schema{}.backup", path, version));
      carry_out(database, migration);
    } catch (const std::exception& error) {
      return fail(
          fmt::format("cannot bring the store {} from schema {} to {}: {}; it is left at schema {}",
                      path, version, migration.version, error.what(), version));
    }
  }
  return {};
}

}  // namespace lrtune

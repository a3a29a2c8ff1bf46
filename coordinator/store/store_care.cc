#include "coordinator/store/store_care.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/hash.h"
#include "common/training.h"
#include "coordinator/store/migrations.h"
#include "coordinator/store/row_checksum.h"
#include "coordinator/store/sqlite_store.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

constexpr int kMostFaults = 100;  // of a kind
constexpr int kSchemaOfExtensions = 4;
constexpr int kSchemaOfChecksums = 5;

// Adds to the faults of one kind, up to the most that are told.
class Faults {
 public:
  explicit Faults(std::vector<std::string>& all) : all_(all) {}
  void add(std::string fault) {
    if (++count_ <= kMostFaults) all_.push_back(std::move(fault));
  }

 private:
  std::vector<std::string>& all_;
  int count_ = 0;
};

void check_pages(SQLite::Database& database, std::vector<std::string>& all) {
  Faults faults(all);
  SQLite::Statement check(database, fmt::format("PRAGMA integrity_check({})", kMostFaults));
  while (check.executeStep()) {
    if (const std::string text = check.getColumn(0).getString(); text != "ok") faults.add(text);
  }
}

void check_references(SQLite::Database& database, std::vector<std::string>& all) {
  Faults faults(all);
  SQLite::Statement check(database, "PRAGMA foreign_key_check");
  while (check.executeStep()) {
    faults.add(fmt::format("row {} of {} refers to a row of {} that is not there",
                           check.getColumn(1).getInt64(), check.getColumn(0).getString(),
                           check.getColumn(2).getString()));
  }
}

// Nothing: the document cannot be read.
using NameOf = std::optional<Digest> (*)(const std::string& document);

std::optional<Digest> name_of_text(const std::string& document) { return sha256(document); }

std::optional<Digest> name_of_identity(const std::string& document) {
  const auto json = nlohmann::json::parse(document, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return std::nullopt;
  const auto identity = training_identity_from_json(json);
  if (!identity) return std::nullopt;
  return identity->hash();
}

struct NamedText {
  const char* table;
  const char* column;
  const char* where;  // the rows whose hash names it
  NameOf name_of;
};

void check_names(SQLite::Database& database, const NamedText& text, std::vector<std::string>& all) {
  Faults faults(all);
  SQLite::Statement rows(database, fmt::format("SELECT id, hash, {} FROM {} WHERE {}", text.column,
                                               text.table, text.where));
  while (rows.executeStep()) {
    const auto name = text.name_of(rows.getColumn(2).getString());
    const SQLite::Column hash = rows.getColumn(1);
    const std::string_view kept(static_cast<const char*>(hash.getBlob()),
                                static_cast<std::size_t>(hash.getBytes()));
    const bool same =
        name && kept == std::string_view(reinterpret_cast<const char*>(name->bytes.data()),
                                         name->bytes.size());
    if (!same) {
      faults.add(fmt::format("row {} of {}: its {} is not what its hash names",
                             rows.getColumn(0).getInt64(), text.table, text.column));
    }
  }
}

std::vector<std::string> column(SQLite::Database& database, const std::string& query) {
  std::vector<std::string> values;
  SQLite::Statement rows(database, query);
  while (rows.executeStep()) values.push_back(rows.getColumn(0).getString());
  return values;
}

// SQLite does not look at what a number says: every row has a checksum for that.
void check_rows(SQLite::Database& database, const std::string& table,
                std::vector<std::string>& all) {
  const std::string from = fmt::format(" FROM pragma_table_info('{}') WHERE ", table);
  const auto columns = column(database, "SELECT name" + from + "name <> 'checksum' ORDER BY cid");
  const auto key = column(database, "SELECT name" + from + "pk > 0 ORDER BY pk");
  Faults faults(all);
  SQLite::Statement rows(
      database,
      fmt::format("SELECT {} FROM {} WHERE checksum <> row_checksum('{}', {})",
                  fmt::join(key, " || ', ' || "), table, table, fmt::join(columns, ", ")));
  while (rows.executeStep()) {
    faults.add(fmt::format("row {} of {} does not fit its checksum", rows.getColumn(0).getString(),
                           table));
  }
}

void check_checksums(SQLite::Database& database, std::vector<std::string>& all) {
  for (const std::string& table :
       column(database,
              "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
              "ORDER BY name"))
    check_rows(database, table, all);
}

// Tables and indices must be those of a new store, to the letter.
void check_definitions(SQLite::Database& database, int schema, std::vector<std::string>& all) {
  const std::string query =
      "SELECT type || ' ' || name || ' of ' || tbl_name || ': ' || sql FROM sqlite_master "
      "WHERE sql IS NOT NULL ORDER BY type, name";
  SQLite::Database wanted(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  add_checksum_function(wanted);
  const auto steps = all_migrations().first(static_cast<std::size_t>(schema));
  if (const auto made = migrate(wanted, ":memory:", steps); !made)
    throw std::runtime_error(made.error().message);
  if (column(database, query) != column(wanted, query))
    all.push_back(fmt::format("its tables are not defined as those of schema {}", schema));
}

std::vector<std::pair<std::string, std::int64_t>> count_rows(SQLite::Database& database) {
  std::vector<std::pair<std::string, std::int64_t>> rows;
  SQLite::Statement tables(database,
                           "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE "
                           "'sqlite_%' ORDER BY name");
  while (tables.executeStep()) {
    const std::string table = tables.getColumn(0).getString();
    rows.emplace_back(table,
                      database.execAndGet("SELECT count(*) FROM \"" + table + '"').getInt64());
  }
  return rows;
}

// A page that cannot be read ends the check; what was found stands.
StoreCheck check(SQLite::Database& database) {
  StoreCheck found;
  found.schema = version_of(database);
  try {
    check_pages(database, found.faults);
    check_definitions(database, found.schema, found.faults);
    if (found.schema >= kSchemaOfChecksums) check_checksums(database, found.faults);
    check_references(database, found.faults);
    check_names(database, {"policy", "document", "true", name_of_text}, found.faults);
    // An extended campaign keeps the hash of the file that it was made of.
    const bool extends = found.schema >= kSchemaOfExtensions;
    check_names(database,
                {"campaign", "experiment", extends ? "extensions = 0" : "true", name_of_text},
                found.faults);
    if (found.schema == schema_version())
      check_names(database, {"identity", "document", "true", name_of_identity}, found.faults);
    found.rows = count_rows(database);
  } catch (const SQLite::Exception& error) {
    found.faults.push_back(fmt::format("it cannot be read to its end: {}", error.what()));
  }
  return found;
}

// Removes a copy that did not become whole.
class UnfinishedCopy {
 public:
  explicit UnfinishedCopy(std::string path) : path_(std::move(path)) { remove(); }
  UnfinishedCopy(const UnfinishedCopy&) = delete;
  UnfinishedCopy& operator=(const UnfinishedCopy&) = delete;
  ~UnfinishedCopy() { remove(); }
  const std::string& path() const { return path_; }

 private:
  void remove() {
    std::error_code ignored;
    for (const char* part : {"", "-wal", "-shm", "-journal"})
      std::filesystem::remove(path_ + part, ignored);
  }
  std::string path_;
};

}  // namespace

Result<StoreCheck> check_store(const std::string& path) {
  auto database = open_any_schema(path);
  if (!database) return tl::unexpected(database.error());
  return check(**database);
}

Result<StoreCheck> back_up_store(const std::string& path, const std::string& target) {
  if (target.empty()) return fail("a backup needs a file name, such as lrtune-backup.db");
  std::error_code ignored;
  if (std::filesystem::exists(target, ignored))
    return fail(fmt::format("{} is there already; a backup replaces nothing", target));
  auto database = open_any_schema(path);
  if (!database) return tl::unexpected(database.error());
  const UnfinishedCopy copy(target + ".unfinished");
  try {
    copy_store(**database, copy.path());
    auto checked = check_store(copy.path());
    if (!checked) return checked;
    if (!checked->faults.empty()) {
      return fail(
          fmt::format("the copy of {} has {} faults, the first is: {}; `lrtune store check` "
                      "tells all of the store's",
                      path, checked->faults.size(), checked->faults.front()));
    }
    keep_copy(copy.path(), target);
    return checked;
  } catch (const std::exception& error) {
    return fail(fmt::format("cannot copy the store {} to {}: {}", path, target, error.what()));
  }
}

Result<StoreMigration> migrate_store(const std::string& path) {
  if (path.empty()) return fail("a store needs a file name, such as --store lrtune.db");
  const auto real = real_store_path(path);
  if (!real) return tl::unexpected(real.error());
  if (auto there = check_there(*real); !there) return tl::unexpected(there.error());
  const auto store = SqliteStore::open(path);  // takes the lock, puts the log in place, migrates
  if (!store) return tl::unexpected(store.error());
  auto mended = (*store)->look();
  if (!mended) return tl::unexpected(mended.error());
  std::error_code none;
  return StoreMigration{(*store)->schema_before(), schema_version(),
                        std::filesystem::is_symlink(path, none) ? *real : path, *std::move(mended)};
}

}  // namespace lrtune

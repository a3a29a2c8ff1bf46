#include "coordinator/store/sqlite_store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <optional>
#include <unordered_map>
#include <utility>
#include <variant>

#include "coordinator/store/file_lock.h"
#include "coordinator/store/file_number.h"
#include "coordinator/store/log_check.h"
#include "coordinator/store/migrations.h"
#include "coordinator/store/other_users.h"
#include "coordinator/store/record_reader.h"
#include "coordinator/store/record_writer.h"
#include "coordinator/store/second_names.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

constexpr int kReaderMillis = 20'000;  // for a reader to end that keeps a log from being saved
constexpr int kLogPages = 4000;        // then a checkpoint: fewer, longer ones than SQLite's 1000

}  // namespace

struct SqliteStore::Connection {
  explicit Connection(std::unique_ptr<SQLite::Database> opened)
      : database(std::move(opened)),
        begin(*database, "BEGIN IMMEDIATE"),
        commit(*database, "COMMIT"),
        rollback(*database, "ROLLBACK"),
        writer(*database) {
    sqlite3_wal_hook(database->getHandle(), note_log_size, &log_pages);
    page_bytes = database->execAndGet("PRAGMA page_size").getInt64();
  }
  // What the write-ahead log holds at least (https://sqlite.org/fileformat2.html#walformat): as
  // many frames as its index says, which another program's checkpoint may have set to none.
  std::int64_t log_bytes() const;
  struct Index {
    std::uint32_t frames = 0;
    std::uint32_t saved = 0;  // of them, by a checkpoint
  };
  Index index() const;
  static int note_log_size(void* pages, sqlite3*, const char*, int size) {
    *static_cast<int*>(pages) = size;
    return SQLITE_OK;
  }
  void shorten_log();
  // All of the log into the store's file; false if that failed.
  bool save_log() noexcept;
  // As far as no reader stands in the way, without waiting; true if that was all.
  bool save_log_at_once() noexcept;
  // Closing writes nothing into a file that has lost a part: what is left may still be of use.
  void leave_as_it_is() noexcept;

  void write_all(std::span<const Record> records);
  template <typename Kind>
  void write_kind(std::span<const Record> records) {
    for (const Record& record : records) {
      if (const Kind* one = std::get_if<Kind>(&record)) writer.write(*one);
    }
  }
  // Each row once, as the turn leaves it, in the place of its first writing: whatever refers to it
  // comes behind that.
  template <typename Kind>
  void write_last(std::span<const Record> records) {
    std::unordered_map<decltype(Kind::id), const Kind*> last;
    for (const Record& record : records) {
      if (const Kind* one = std::get_if<Kind>(&record)) last[one->id] = one;
    }
    for (const Record& record : records) {
      const Kind* one = std::get_if<Kind>(&record);
      if (one == nullptr) continue;
      if (const Kind* row = std::exchange(last[one->id], nullptr)) writer.write(*row);
    }
  }
  void roll_back() noexcept;

  std::unique_ptr<SQLite::Database> database;
  SQLite::Statement begin, commit, rollback;
  RecordWriter writer;
  int log_pages = 0;  // of the write-ahead log, after the last commit
  std::int64_t page_bytes = 0;
  bool left_alone = false;
};

struct SqliteStore::Parts {
  std::string path;
  FileLock lock;
  SecondNames names;
  FileNumber file = {};                         // that was opened, as long as it was seen
  std::optional<OtherUsers> others = {};        // outlives the connection
  std::unique_ptr<Connection> connection = {};  // none if it could not be opened again
  FileNumber log = {};                          // its write-ahead log; none: it was saved
  bool failed = false;                          // a commit has failed since the last load()
  std::string mended = {};                      // since the last look()
  // Somebody may have the store open with an index of the log that is not ours. He sees no lock of
  // ours, and copies what his index says into the store if he closes it last. That is harmless as
  // long as the log only grows and nothing of it is in the store's file.
  bool index_divided = false;
  int schema_before = 0;  // when it was opened
  std::string history = {};

  Result<void> open();
  void close() noexcept;

  // A file that was moved, removed or cut while it is open takes every commit, and nobody finds it
  // again. Neither the store nor its log gets shorter while one coordinator has them.
  Result<void> in_place(bool index_too = true);
  Result<void> mend_names();
  Result<void> log_in_place();
  Result<void> begin_log_anew();
};

Result<void> SqliteStore::Parts::open() {
  auto placed = put_log_in_place(path);
  if (!placed) return tl::unexpected(placed.error());
  if (!placed->empty()) mended = *placed;
  drop_wrong_index(path, /*put_back=*/!placed->empty());
  index_divided = file_number(path).exists() && OtherUsers(path).any_beside(path + "-shm");
  auto database =
      open_for_writing(path, index_divided ? OpenLog::kKept : OpenLog::kEmptied, schema_before);
  if (!database) return tl::unexpected(database.error());
  try {
    begin_history(**database);
    history = history_of(**database);
  } catch (const std::exception& error) {
    return fail(fmt::format("cannot open the store {}: {}", path, error.what()));
  }
  connection = std::make_unique<Connection>(*std::move(database));
  others.emplace(path);
  file = file_number(path);
  log = file_number(path + "-wal");
  names.begin();
  return {};
}

// The second names go first: one that is left alone says that a log was removed. That of a log
// which has lost its place stays, for what SQLite may not be able to save.
void SqliteStore::Parts::close() noexcept {
  if (!connection) return;
  const bool in_order = file_number(path + "-wal") == log;
  // A log that somebody else's connection keeps there, saved, needs no second name: it would stand
  // there as a crash's.
  const bool saved = in_order && !index_divided && connection->save_log_at_once();
  if (in_order) names.end();
  connection.reset();
  others.reset();
  if (in_order && !saved) names.begin();
}

Result<void> SqliteStore::Parts::in_place(bool index_too) {
  const FileNumber now = file_number(path);
  if (!(now == file) || !lock.in_place()) {
    return fail(fmt::format(
        "the store {} or its lock was moved, removed or replaced while it is open", path));
  }
  if (now.bytes < file.bytes) {
    if (connection) connection->leave_as_it_is();
    return fail(fmt::format("the store {} was cut from {} to {} bytes while it is open", path,
                            file.bytes, now.bytes));
  }
  file.bytes = now.bytes;
  if (!connection) return {};
  if (auto names_given = mend_names(); !names_given && index_too) return names_given;
  return log_in_place();
}

Result<void> SqliteStore::Parts::mend_names() {
  const SecondNames::Mended given = names.mend();
  if (given.log || given.index) {
    mended = fmt::format("{}{}{} had been removed; it has its name again",
                         given.log ? path + "-wal" : "", given.log && given.index ? ", " : "",
                         given.index ? path + "-shm" : "");
  }
  if (given.index || given.lost) index_divided = true;
  if (!given.lost) return {};
  return fail(fmt::format(
      "the index {}-shm of the write-ahead log was removed or replaced while it is open", path));
}

// SQLite reads and writes the log that it opened. If that has no name any more, and no second one,
// the store takes all of it before anything else happens, and a new log can be begun.
Result<void> SqliteStore::Parts::log_in_place() {
  const FileNumber now = file_number(path + "-wal");
  if (!(now == log)) {
    const bool saved = connection->save_log();
    return fail(fmt::format(
        "the write-ahead log {}-wal was moved, removed or replaced while it is open; {}", path,
        saved ? "the store has all that was in it" : "what was in it could not be saved"));
  }
  if (!log.exists() || now.bytes >= connection->log_bytes()) return {};
  const std::int64_t before = connection->log_bytes();
  connection->leave_as_it_is();
  return fail(fmt::format(
      "the write-ahead log {}-wal was cut from {} to {} bytes while it is open; what the rest held "
      "is lost",
      path, before, now.bytes));
}

namespace {

void run(SQLite::Statement& statement) {
  statement.exec();
  statement.reset();
}

}  // namespace

// Rows before those that refer to them, whatever their order in the turn; rows of one table in the
// turn's order.
void SqliteStore::Connection::write_all(std::span<const Record> records) {
  run(begin);
  // After a checkpoint of all of it, which may be another program's, the log begins anew here.
  if (const Index log = index(); log.frames == log.saved) write_page_one(*database);
  write_kind<CampaignRecord>(records);
  write_kind<IdentityRecord>(records);
  write_last<JobRecord>(records);
  write_last<TrialRecord>(records);
  write_kind<PointRecord>(records);
  write_kind<DecisionRecord>(records);
  write_kind<RankingRecord>(records);
  write_kind<WorkerOrderRecord>(records);
  writer.write_bounds();
  run(commit);
}

SqliteStore::Connection::Index SqliteStore::Connection::index() const {
  constexpr int kRegion = 32 * 1024;        // bytes; WALINDEX_PGSZ
  constexpr std::size_t kFramesAt = 16;     // mxFrame of the header, in native order
  constexpr std::size_t kSavedAt = 2 * 48;  // nBackfill, behind the second header
  sqlite3_file* file = nullptr;
  volatile void* region = nullptr;
  const bool mapped =
      sqlite3_file_control(database->getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, &file) ==
          SQLITE_OK &&
      file->pMethods->iVersion >= 2 &&
      file->pMethods->xShmMap(file, 0, kRegion, /*bExtend=*/0, &region) == SQLITE_OK &&
      region != nullptr;
  if (!mapped) return {};  // no log yet
  const auto number_at = [&](std::size_t place) {
    return *reinterpret_cast<volatile std::uint32_t*>(static_cast<volatile char*>(region) + place);
  };
  return {number_at(kFramesAt), number_at(kSavedAt)};
}

std::int64_t SqliteStore::Connection::log_bytes() const {
  constexpr std::int64_t kHeader = 32, kFrameHeader = 24;
  const std::uint32_t frames = index().frames;
  return frames == 0 ? 0 : kHeader + frames * (kFrameHeader + page_bytes);
}

// A reader may keep the log from starting anew; then it is tried again after the next commit.
void SqliteStore::Connection::shorten_log() {
  if (log_pages < kLogPages) return;
  if (empty_log(*database)) log_pages = 0;
}

bool SqliteStore::Connection::save_log() noexcept {
  sqlite3_busy_timeout(database->getHandle(), kReaderMillis);
  const int rc = sqlite3_wal_checkpoint_v2(database->getHandle(), "main", SQLITE_CHECKPOINT_FULL,
                                           nullptr, nullptr);
  if (rc == SQLITE_OK) log_pages = 0;
  return rc == SQLITE_OK;
}

bool SqliteStore::Connection::save_log_at_once() noexcept {
  if (left_alone) return false;
  int frames = 0;
  int saved = 0;
  const int rc = sqlite3_wal_checkpoint_v2(database->getHandle(), "main", SQLITE_CHECKPOINT_PASSIVE,
                                           &frames, &saved);
  return rc == SQLITE_OK && frames == saved;
}

void SqliteStore::Connection::leave_as_it_is() noexcept {
  left_alone = true;
  sqlite3_db_config(database->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void SqliteStore::Connection::roll_back() noexcept {
  begin.tryReset();
  commit.tryReset();
  rollback.tryExecuteStep();  // fails if SQLite has rolled back by itself
  rollback.tryReset();
}

SqliteStore::SqliteStore(Parts parts) : parts_(std::make_unique<Parts>(std::move(parts))) {}
SqliteStore::~SqliteStore() { parts_->close(); }

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
  if (auto file = check_store_file(path); !file) return tl::unexpected(file.error());
  // Two names of one file must meet the same lock.
  const auto found = real_store_path(path);
  if (!found) return tl::unexpected(found.error());
  const std::string& real = *found;
  if (auto folder = check_folder(std::filesystem::path(real).parent_path().string()); !folder)
    return tl::unexpected(folder.error());
  auto lock = FileLock::take(real + ".lock", "the store " + real,
                             "one coordinator at a time writes a store", real);
  if (!lock) return tl::unexpected(lock.error());
  if (const FileNumber file = file_number(real); file.names > 1) {
    return fail(fmt::format(
        "the store {} has {} names (hard links), and a coordinator on another one would not see "
        "this one; give it a file of its own, such as `lrtune store backup` makes",
        real, file.names));
  }
  Parts parts{real, *std::move(lock), SecondNames(real)};
  if (auto opened = parts.open(); !opened) return tl::unexpected(opened.error());
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(parts)));
}

// As it was when the file was opened: load() has opened it.
std::string SqliteStore::history() const { return parts_->history; }

int SqliteStore::schema_before() const { return parts_->schema_before; }

Result<void> SqliteStore::commit(std::span<const Record> records) {
  if (records.empty()) return {};
  if (parts_->failed)
    return fail("the store refuses to write after a failed commit until it is loaded again");
  if (auto there = parts_->in_place(); !there) {
    parts_->failed = true;
    return there;
  }
  try {
    parts_->connection->write_all(records);
  } catch (const std::exception& error) {
    parts_->connection->roll_back();
    parts_->failed = true;
    return fail(fmt::format("cannot write to the store {}: {}", parts_->path, error.what()));
  }
  // The records are on disk, whatever happens to a checkpoint; after one that failed, the next
  // commit asks for load().
  try {
    if (!parts_->index_divided) parts_->connection->shorten_log();
  } catch (const std::exception&) {
    parts_->connection->roll_back();
    parts_->failed = true;
  }
  return {};
}

// A commit whose sync failed is rolled back, but its frames still stand in the write-ahead log,
// where whoever opens the file next would take them for committed. A small commit through the same
// connection, which knows better, overwrites their beginning; only then may it be closed.
Result<void> SqliteStore::reopen() {
  Parts& parts = *parts_;
  if (parts.connection) {
    // An index that is lost is made anew from the log.
    static_cast<void>(parts.mend_names());
    if (!file_number(parts.path + "-wal").exists()) {
      if (auto saved = parts.begin_log_anew(); !saved) return saved;
    } else {
      if (auto there = parts.in_place(/*index_too=*/false); !there) return there;
      SQLite::Database& failed = *parts.connection->database;
      SQLite::Transaction overwrite(failed, SQLite::TransactionBehavior::IMMEDIATE);
      failed.exec(
          "UPDATE store SET recoveries = recoveries + 1, "
          "checksum = row_checksum('store', one, created_at, recoveries + 1)");
      overwrite.commit();
    }
  }
  if (auto there = parts.in_place(/*index_too=*/false); !there) return there;
  parts.close();
  if (auto opened = parts.open(); !opened) return opened;
  parts.failed = false;
  return {};
}

// A log that was only removed, with its second name, is saved. Whoever has it open still, with its
// index, is left alone with both.
Result<void> SqliteStore::Parts::begin_log_anew() {
  if (!connection->save_log()) {
    return fail(fmt::format(
        "the write-ahead log {}-wal was removed while it is open, and what was in it could not be "
        "saved",
        path));
  }
  log = {};
  std::error_code none;
  if (std::filesystem::remove(path + "-shm", none)) index_divided = true;
  return {};
}

Result<std::string> SqliteStore::look() {
  if (parts_->failed) return std::string();
  if (auto there = parts_->in_place(); !there) {
    parts_->failed = true;
    return tl::unexpected(there.error());
  }
  if (parts_->index_divided)
    parts_->index_divided = parts_->others->any_beside(parts_->path + "-shm");
  return std::exchange(parts_->mended, {});
}

Result<StoredState> SqliteStore::load() {
  try {
    if (parts_->failed) {
      if (auto opened = reopen(); !opened) return tl::unexpected(opened.error());
    }
    return read_all(*parts_->connection->database);
  } catch (const std::exception& error) {
    return fail(fmt::format("cannot read the store {}: {}", parts_->path, error.what()));
  }
}

}  // namespace lrtune

// The write-ahead log of a store that is open, or whose coordinator was killed: what happens to it
// when somebody removes, replaces or cuts it.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>

#include "coordinator/store/policy_queries.h"
#include "coordinator/store/sqlite_store.h"
#include "coordinator/store/store_care.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Optional;

std::string refusal(const std::string& path) {
  const auto store = SqliteStore::open(path);
  return store ? "opened" : store.error().message;
}

// SQLite went on writing into a log that had no name any more, and a later start found none of it.
TEST(StoreLog, WhoseLogIsRemovedGetsItBack) {
  const TemporaryFolder folder;
  auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  const std::string log = folder.file("a.db-wal"), index = folder.file("a.db-shm");
  for (int times = 0; times < 3; ++times) {
    fs::remove(log);
    fs::remove(index);
    ASSERT_TRUE((*store)->commit(sample_records()));
    EXPECT_THAT((*store)->look(), Optional(HasSubstr("a.db-wal, " + index)));
    EXPECT_THAT((*store)->look(), Optional(std::string()));
    EXPECT_GT(fs::file_size(log), 0U);
    fs::remove(log);
    EXPECT_THAT((*store)->look(), Optional(HasSubstr("a.db-wal had"))) << "without a commit";
  }
  EXPECT_EQ(check_store(folder.file("a.db")).value().faults, std::vector<std::string>{});
  EXPECT_GT((*store)->load().value().trials.size(), 0U);
}

// The files of a store whose coordinator was killed and whose log was removed: its second name is
// left.
std::string after_a_crash(const TemporaryFolder& folder) {
  const auto store = SqliteStore::open(folder.file("a.db"));
  EXPECT_TRUE((*store)->commit(sample_records()));
  fs::create_directory(folder.file("crash"));
  for (const char* part : {"a.db", "a.db.wal"})
    fs::copy_file(folder.file(part), folder.file("crash/" + std::string(part)));
  return folder.file("crash/a.db");
}

// Regression: through a link nothing of the log was checked: it was an empty store without a fault,
// and its backup empty.
TEST(StoreLog, ThatWasRemovedIsMissedThroughALinkToo) {
  const TemporaryFolder folder;
  const std::string path = after_a_crash(folder);
  fs::create_symlink(path, folder.file("link.db"));
  for (const std::string& name : {path, folder.file("link.db")}) {
    EXPECT_THAT(check_store(name).error().message, HasSubstr("was removed or replaced"));
    EXPECT_THAT(back_up_store(name, folder.file("copy.db")).error().message,
                HasSubstr("was removed or replaced"));
  }
}

// Regression: `store migrate` refused with the words that `store migrate` helps.
TEST(StoreLog, ThatWasRemovedIsPutBackByMigrating) {
  const TemporaryFolder folder;
  const std::string path = after_a_crash(folder);
  const auto migrated = migrate_store(path);
  ASSERT_TRUE(migrated) << migrated.error().message;
  EXPECT_EQ(migrated->from, migrated->to);
  EXPECT_THAT(migrated->mended, HasSubstr("-wal had been removed; it has its name again"));
  EXPECT_GT(SqliteStore::open(path).value()->load().value().trials.size(), 0U);
}

// Regression: one VACUUM by hand before the next start, and what was acknowledged was put aside as
// the log of another file.
TEST(StoreLog, ThatWasRemovedIsNotGivenUpForAnotherProgramsChange) {
  for (const char* const change :
       {"VACUUM", "CREATE INDEX mine ON trial(seed)", "PRAGMA journal_mode = DELETE"}) {
    const TemporaryFolder folder;
    const std::string path = after_a_crash(folder);
    {
      SQLite::Database shell(path, SQLite::OPEN_READWRITE);
      SQLite::Statement statement(shell, change);
      while (statement.executeStep()) {
      }
    }
    EXPECT_THAT(refusal(path), HasSubstr("has commits that the store")) << change;
    EXPECT_THAT(check_store(path).error().message, HasSubstr("move the log away")) << change;
    EXPECT_TRUE(fs::exists(path + ".wal")) << change;
  }
}

// Regression: a shell that outlived an orderly stop left the second name behind, as a crash's; what
// was changed by hand then was undone at the next start, or the start refused.
TEST(StoreLog, ThatIsSavedAtTheEndLeavesNoSecondName) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.db");
  auto store = SqliteStore::open(path);
  ASSERT_TRUE((*store)->commit(sample_records()));
  {
    SQLite::Database shell(path, SQLite::OPEN_READWRITE);
    EXPECT_GT(shell.execAndGet("SELECT count(*) FROM trial").getInt(), 0);
    store->reset();
    EXPECT_FALSE(fs::exists(path + ".wal"));
  }
  {
    SQLite::Database shell(path, SQLite::OPEN_READWRITE);
    shell.exec("VACUUM");
  }
  EXPECT_EQ(check_store(path).value().faults, std::vector<std::string>{});
  EXPECT_EQ(refusal(path), "opened");
}

// Regression: a reader in the meantime made an empty log, and the coordinator ended.
TEST(StoreLog, WhoseLogIsRemovedGetsItBackFromAReader) {
  const TemporaryFolder folder;
  auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->commit(sample_records()));
  fs::remove(folder.file("a.db-wal"));
  fs::remove(folder.file("a.db-shm"));
  EXPECT_THAT(check_store(folder.file("a.db")).error().message,
              HasSubstr("puts it back in its place"));
  SQLite::Database reader(folder.file("a.db"), SQLite::OPEN_READWRITE);
  EXPECT_THROW(reader.execAndGet("SELECT count(*) FROM trial"), SQLite::Exception);
  ASSERT_EQ(fs::file_size(folder.file("a.db-wal")), 0U);
  ASSERT_TRUE((*store)->commit(sample_records()));
  SQLite::Database another(folder.file("a.db"), SQLite::OPEN_READONLY);
  EXPECT_GT(another.execAndGet("SELECT count(*) FROM trial").getInt(), 0);
}

TEST(StoreLog, WhoseSecondNameOfTheLogIsRemovedGetsAnother) {
  const TemporaryFolder folder;
  auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  fs::remove(folder.file("a.db.wal"));
  EXPECT_THAT((*store)->look(), Optional(std::string()));
  EXPECT_TRUE(fs::equivalent(folder.file("a.db.wal"), folder.file("a.db-wal")));
  store->reset();
  for (const char* end : {".wal", ".shm", "-wal", "-shm"})
    EXPECT_FALSE(fs::exists(folder.file("a.db") + end)) << end;
}

// Regression: the coordinator ended, and said that what had been in the log was lost.
TEST(StoreLog, AnotherProgramMayCheckpointAndEmptyIt) {
  const TemporaryFolder folder;
  auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE((*store)->commit(sample_records()));
    {
      SQLite::Database other(folder.file("a.db"), SQLite::OPEN_READWRITE);
      other.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    ASSERT_EQ(fs::file_size(folder.file("a.db-wal")), 0U);
    EXPECT_THAT((*store)->look(), Optional(std::string()));
  }
  EXPECT_TRUE((*store)->commit(sample_records()));
  EXPECT_GT((*store)->load().value().trials.size(), 0U);
}

// The files of a coordinator that was killed, with the log under its second name alone.
class StoreOfTheDead : public ::testing::Test {
 protected:
  StoreOfTheDead() {
    auto store = SqliteStore::open(folder_.file("a.db"));
    static_cast<void>((*store)->commit(sample_records()));
    fs::copy_file(folder_.file("a.db"), path());
    fs::copy_file(folder_.file("a.db.wal"), second());
  }
  std::string path() const { return folder_.file("dead.db"); }
  std::string log() const { return folder_.file("dead.db-wal"); }
  std::string second() const { return folder_.file("dead.db.wal"); }

 private:
  TemporaryFolder folder_;
};

TEST_F(StoreOfTheDead, GetsItsLogBackAtTheNextStart) {
  EXPECT_THAT(check_store(path()).error().message, HasSubstr("commits that the store"));
  std::ofstream(log()).close();  // as a reader leaves it
  EXPECT_THAT(check_store(path()).error().message, HasSubstr("commits that the store"));
  const auto store = SqliteStore::open(path());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_THAT((*store)->look(), Optional(HasSubstr("had been removed; it has its name again")));
  EXPECT_GT((*store)->load().value().trials.size(), 0U);
}

TEST_F(StoreOfTheDead, SaysThatItsLogIsDamaged) {
  std::fstream bytes(second(), std::ios::binary | std::ios::in | std::ios::out);
  bytes.seekp(10);
  bytes.put('x');
  bytes.close();
  EXPECT_THAT(refusal(path()), HasSubstr("-wal is damaged: its header"));
}

TEST_F(StoreOfTheDead, IsOpenedWithoutItsLogIfAnotherProgramSavedIt) {
  fs::copy_file(second(), log());
  { SQLite::Database(path(), SQLite::OPEN_READWRITE).exec("PRAGMA wal_checkpoint(TRUNCATE)"); }
  ASSERT_FALSE(fs::exists(log()));
  const auto store = SqliteStore::open(path());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_GT((*store)->load().value().trials.size(), 0U);
}

TEST_F(StoreOfTheDead, IsOpenedAsACopyWithBothNames) {
  fs::copy_file(second(), log());
  const auto store = SqliteStore::open(path());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_TRUE(fs::equivalent(second(), log()));
}

TEST_F(StoreOfTheDead, IsBegunAnewOnceItIsRemoved) {
  fs::remove(path());
  EXPECT_TRUE(SqliteStore::open(path()));
}

// Where a file system has no hard links there is no second name.
TEST(StoreLog, WhoseLogIsRemovedWithBothNamesLosesNothingAndGoesOn) {
  const TemporaryFolder folder;
  auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  const auto records = sample_records();
  ASSERT_TRUE((*store)->commit(records));
  const auto before = (*store)->load();
  ASSERT_TRUE(before);
  for (int times = 0; times < 3; ++times) {
    fs::remove(folder.file("a.db-wal"));
    fs::remove(folder.file("a.db.wal"));
    const auto committed = (*store)->commit(records);
    ASSERT_FALSE(committed);
    EXPECT_THAT(committed.error().message, AllOf(HasSubstr("-wal was moved, removed or replaced"),
                                                 HasSubstr("the store has all that was in it")));
    const auto after = (*store)->load();
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(after->trials.size(), before->trials.size());
    EXPECT_GT(after->trials.size(), 0U);
    ASSERT_TRUE(fs::exists(folder.file("a.db-wal")));
  }
  store->reset();
  EXPECT_EQ(check_store(folder.file("a.db")).value().faults, std::vector<std::string>{});
}

// Regression: what a reader's open transaction kept from being saved was given up.
TEST(StoreLog, WhoseLogIsRemovedWithBothNamesWaitsForAReaderToSaveIt) {
  const TemporaryFolder folder;
  auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  SQLite::Database reader(folder.file("a.db"), SQLite::OPEN_READONLY);
  reader.exec("BEGIN");
  static_cast<void>(reader.execAndGet("SELECT count(*) FROM trial").getInt());
  ASSERT_TRUE((*store)->commit(sample_records()));
  fs::remove(folder.file("a.db-wal"));
  fs::remove(folder.file("a.db.wal"));
  auto looked = std::async(std::launch::async, [&] { return (*store)->look(); });
  EXPECT_EQ(looked.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  reader.exec("COMMIT");
  const auto refused = looked.get();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("the store has all that was in it"));
  const auto after = (*store)->load();
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_GT(after->trials.size(), 0U);
}

// Whether SQLite's lock that keeps others from taking themselves for the last to close it is on the
// file (https://sqlite.org/lockingv3.html; the bytes are those of os.h).
bool is_held(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct flock others {};
  others.l_type = F_WRLCK;
  others.l_start = 0x40000002;
  others.l_len = 510;
  const int asked = ::fcntl(file, F_OFD_GETLK, &others);
  EXPECT_EQ(asked, 0) << std::strerror(errno);
  // Left open: closing it would give up the lock that it asks about.
  return others.l_type != F_UNLCK;
}

// Regression: reading the store's head gave up the lock, and the next sqlite3 shell that ended took
// the log away.
TEST(StoreLog, IsStillHeldAfterItWasReadInTheSameProcess) {
  const TemporaryFolder folder;
  auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->commit(sample_records()));
  ASSERT_TRUE(is_held(folder.file("a.db")));
  ASSERT_TRUE((*store)->load());
  ASSERT_TRUE(PolicyQueries::open(folder.file("a.db")));
  EXPECT_TRUE(is_held(folder.file("a.db")));
}

TEST(StoreLog, WhoseLogIsReplacedIsNotWrittenAnyMore) {
  const TemporaryFolder folder;
  auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->commit(sample_records()));
  fs::copy_file(folder.file("a.db-wal"), folder.file("copy"));
  fs::rename(folder.file("copy"), folder.file("a.db-wal"));
  EXPECT_FALSE((*store)->commit(sample_records()));
  EXPECT_FALSE((*store)->load());
}

TEST(StoreLog, ThatIsCutOrWhoseLogIsCutTakesNothingMore) {
  for (const std::string name : {"a.db", "a.db-wal"}) {
    SCOPED_TRACE(name);
    const TemporaryFolder folder;
    auto store = SqliteStore::open(folder.file("a.db"));
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->commit(sample_records()));
    fs::resize_file(folder.file(name), 4096);
    const auto committed = (*store)->commit(sample_records());
    ASSERT_FALSE(committed);
    EXPECT_THAT(committed.error().message, HasSubstr("was cut from"));
    EXPECT_FALSE((*store)->load());
    const auto left = fs::file_size(folder.file(name));
    store->reset();
    EXPECT_EQ(fs::file_size(folder.file(name)), left) << "nothing is written on closing";
  }
}

}  // namespace
}  // namespace lrtune

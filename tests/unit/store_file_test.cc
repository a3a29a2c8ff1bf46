// Which files a store accepts, who may write them, and how an old one becomes a new one.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "coordinator/store/migrations.h"
#include "coordinator/store/sqlite_store.h"
#include "coordinator/store/store_care.h"
#include "coordinator/store/store_file.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string refusal(const std::string& path) {
  const auto store = SqliteStore::open(path);
  return store ? "opened" : store.error().message;
}

void make_database(const std::string& path, const std::string& sql) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec(sql);
}

TEST(StoreFile, HasOneWriter) {
  const TemporaryFolder folder;
  auto first = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(first) << first.error().message;
  const std::string words = refusal(folder.file("a.db"));
  EXPECT_THAT(words, HasSubstr("is in use by lrtune process " + std::to_string(getpid())));
  EXPECT_THAT(words, HasSubstr("one coordinator at a time"));
  fs::create_symlink(folder.file("a.db"), folder.file("other-name.db"));
  EXPECT_THAT(refusal(folder.file("other-name.db")), HasSubstr("is in use"));
  first->reset();
  EXPECT_EQ(refusal(folder.file("a.db")), "opened");
}

// Two coordinators wrote one file under two names, each over what the other had acknowledged.
TEST(StoreFile, AHardLinkIsRefused) {
  const TemporaryFolder folder;
  const auto first = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(first) << first.error().message;
  fs::create_hard_link(folder.file("a.db"), folder.file("other-name.db"));
  EXPECT_THAT(refusal(folder.file("other-name.db")), HasSubstr("has 2 names (hard links)"));
}

// Regression: a reader on another name saw nothing of the log, and said that all was well.
TEST(StoreFile, AHardLinkIsNotRead) {
  const TemporaryFolder folder;
  const auto first = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(first) << first.error().message;
  fs::create_hard_link(folder.file("a.db"), folder.file("other-name.db"));
  EXPECT_THAT(check_store(folder.file("other-name.db")).error().message,
              HasSubstr("has 2 names (hard links)"));
}

// Regression: a link to a file that was not there yet hid the file from all but SQLite: two
// coordinators had one store, and its log had no second name.
TEST(StoreFile, ALinkToAFileThatIsNotThereYetIsFollowed) {
  const TemporaryFolder folder;
  fs::create_directory(folder.file("disk"));
  fs::create_symlink("disk/real.db", folder.file("link.db"));
  fs::create_symlink(folder.file("link.db"), folder.file("further.db"));
  const auto store = SqliteStore::open(folder.file("further.db"));
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->commit(sample_records()));
  EXPECT_TRUE(fs::exists(folder.file("disk/real.db.lock")));
  EXPECT_TRUE(fs::exists(folder.file("disk/real.db.wal")));
  for (const char* name : {"link.db", "further.db", "disk/real.db"})
    EXPECT_THAT(refusal(folder.file(name)), HasSubstr("is in use"));
  EXPECT_EQ(fs::directory_iterator(folder.file("disk"))->exists(), true);
  EXPECT_FALSE(fs::exists(folder.file("link.db.lock")));
}

TEST(StoreFile, ALinkInACircleIsRefused) {
  const TemporaryFolder folder;
  fs::create_symlink("b.db", folder.file("a.db"));
  fs::create_symlink("a.db", folder.file("b.db"));
  EXPECT_THAT(refusal(folder.file("a.db")), HasSubstr("leads in a circle"));
  EXPECT_THAT(check_store(folder.file("a.db")).error().message, HasSubstr("leads in a circle"));
}

// Regression: `store check` found a missing table in it, `store migrate` named a backup that it had
// not made.
TEST(StoreFile, AnEmptyFileIsNoStore) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("a.db")).close();
  EXPECT_THAT(check_store(folder.file("a.db")).error().message, HasSubstr("is an empty file"));
  EXPECT_THAT(migrate_store(folder.file("a.db")).error().message, HasSubstr("is an empty file"));
  EXPECT_EQ(fs::file_size(folder.file("a.db")), 0U);
}

// Regression: what the lock's name was linked to was overwritten, and by root given away.
TEST(StoreFile, ALockThatIsAnotherFileIsRefused) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("important")) << "mine";
  fs::create_hard_link(folder.file("important"), folder.file("a.db.lock"));
  EXPECT_THAT(refusal(folder.file("a.db")), HasSubstr("is no file of its own"));
  EXPECT_EQ(fs::file_size(folder.file("important")), 4U);
}

// Regression: `store migrate` by root left a lock that the coordinator's own user could not open.
TEST(StoreFile, ALockThatRootMakesIsTheStoresOwners) {
  if (geteuid() != 0) return;  // nobody else can give files away
  const TemporaryFolder folder;
  ASSERT_EQ(refusal(folder.file("a.db")), "opened");
  fs::remove(folder.file("a.db.lock"));
  constexpr uid_t kSomebody = 65534;
  ASSERT_EQ(chown(folder.file("a.db").c_str(), kSomebody, kSomebody), 0);
  ASSERT_TRUE(migrate_store(folder.file("a.db")));
  struct stat lock {};
  ASSERT_EQ(stat(folder.file("a.db.lock").c_str(), &lock), 0);
  EXPECT_EQ(lock.st_uid, kSomebody);
}

// What was committed to a file that has no name any more was acknowledged, and lost.
TEST(StoreFile, ThatIsMovedTakesNothingMore) {
  const TemporaryFolder folder;
  const auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  fs::rename(folder.file("a.db"), folder.file("b.db"));
  const auto records = sample_records();
  const auto committed = (*store)->commit(records);
  ASSERT_FALSE(committed);
  EXPECT_THAT(committed.error().message, HasSubstr("was moved, removed or replaced"));
  EXPECT_FALSE((*store)->load()) << "no new store in its place";
  EXPECT_FALSE(fs::exists(folder.file("a.db")));
  fs::rename(folder.file("b.db"), folder.file("a.db"));
  EXPECT_TRUE((*store)->load());
  EXPECT_TRUE((*store)->commit(records));
}

TEST(StoreFile, WhoseLockIsRemovedTakesNothingMore) {
  const TemporaryFolder folder;
  const auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  fs::remove(folder.file("a.db.lock"));
  EXPECT_FALSE((*store)->commit(sample_records()));
}

// The lock wrote the process's number into whatever a link of that name pointed at.
TEST(StoreFile, ALockThatIsALinkIsRefused) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("victim")) << "precious";
  fs::create_symlink(folder.file("victim"), folder.file("a.db.lock"));
  EXPECT_THAT(refusal(folder.file("a.db")), HasSubstr("cannot make the lock file"));
  std::string text;
  std::ifstream(folder.file("victim")) >> text;
  EXPECT_EQ(text, "precious");
}

TEST(StoreFile, OthersReadWhileOneWrites) {
  const TemporaryFolder folder;
  const auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  const auto reader = open_for_reading(folder.file("a.db"));
  ASSERT_TRUE(reader) << reader.error().message;
  ASSERT_TRUE((*store)->commit(sample_records()));
  EXPECT_EQ((*reader)->execAndGet("SELECT count(*) FROM trial").getInt(), 12);
  EXPECT_THROW((*reader)->exec("DELETE FROM trial"), SQLite::Exception);
}

// Files are nobody's in a folder that cannot be written, whoever runs the test.
class ReadOnlyFolder {
 public:
  explicit ReadOnlyFolder(const fs::path& path) : path_(path) {
    for (const auto& entry : fs::directory_iterator(path))
      fs::permissions(entry.path(), fs::perms(0444));
    fs::permissions(path, fs::perms(0555));
    EXPECT_EQ(user_ == 0 ? seteuid(65534) : 0, 0);
  }
  ~ReadOnlyFolder() {
    EXPECT_EQ(user_ == 0 ? seteuid(0) : 0, 0);
    fs::permissions(path_, fs::perms::owner_all);
  }

 private:
  fs::path path_;
  uid_t user_ = geteuid();
};

// A store in a folder without the right to write was "unable to open database file".
TEST(StoreFile, IsReadInAFolderThatCannotBeWritten) {
  const TemporaryFolder folder(memory_folder());
  const std::string path = folder.file("a %?#.db");
  {
    const auto store = SqliteStore::open(path);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->commit(sample_records()));
  }
  const ReadOnlyFolder sealed(folder.path());
  const auto reader = open_for_reading(path);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->execAndGet("SELECT count(*) FROM trial").getInt(), 12);
}

TEST(StoreFile, WithAnOpenLogInAFolderThatCannotBeWrittenSaysWhatToDo) {
  const TemporaryFolder folder(memory_folder());
  const auto store = SqliteStore::open(folder.file("a.db"));
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->commit(sample_records()));
  const TemporaryFolder copy(memory_folder());
  for (const char* name : {"a.db", "a.db-wal"}) fs::copy_file(folder.file(name), copy.file(name));
  const ReadOnlyFolder sealed(copy.path());
  const auto reader = open_for_reading(copy.file("a.db"));
  ASSERT_FALSE(reader);
  EXPECT_THAT(reader.error().message, HasSubstr("its folder cannot be written"));
  EXPECT_THAT(reader.error().message, HasSubstr("read a copy of both files elsewhere"));
}

TEST(StoreFile, KeepsItsSettings) {
  const TemporaryFolder folder;
  int schema_before = -1;
  const auto database = open_for_writing(folder.file("a.db"), OpenLog::kEmptied, schema_before);
  EXPECT_EQ(schema_before, 0);
  ASSERT_TRUE(database) << database.error().message;
  const auto pragma = [&](const std::string& name) {
    return (*database)->execAndGet("PRAGMA " + name).getString();
  };
  EXPECT_EQ(pragma("journal_mode"), "wal");
  EXPECT_EQ(pragma("synchronous"), "2");  // FULL
  EXPECT_EQ(pragma("foreign_keys"), "1");
  EXPECT_EQ(pragma("application_id"), std::to_string(kApplicationId));
  EXPECT_EQ(pragma("user_version"), std::to_string(schema_version()));
  SQLite::Statement loose(
      **database,
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND "
      "name NOT LIKE 'sqlite_%'");
  EXPECT_FALSE(loose.executeStep())
      << "table " << loose.getColumn(0).getString() << " is not STRICT";
}

// A new store left a copy of each of its own first steps beside it.
TEST(StoreFile, ANewOneHasNothingToKeepACopyOf) {
  const TemporaryFolder folder;
  ASSERT_EQ(refusal(folder.file("a.db")), "opened");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("a.db", "a.db.lock"));
}

TEST(StoreFile, RefusesOtherFiles) {
  const TemporaryFolder folder;
  make_database(folder.file("mail.db"), "CREATE TABLE letters (text TEXT)");
  EXPECT_THAT(refusal(folder.file("mail.db")),
              HasSubstr("is a database of another program, no lrtune store"));
  make_database(folder.file("other.db"), "PRAGMA application_id = 77");
  EXPECT_THAT(refusal(folder.file("other.db")), HasSubstr("is a database of another program"));
  std::ofstream(folder.file("text.db")) << std::string(5000, 'x');
  EXPECT_THAT(refusal(folder.file("text.db")),
              HasSubstr("is no lrtune store (not an SQLite database)"));
  EXPECT_THAT(refusal(folder.file("nowhere/a.db")), HasSubstr("cannot use the folder"));
  fs::create_directory(folder.file("folder.db"));
  EXPECT_THAT(refusal(folder.file("folder.db")),
              HasSubstr("folder.db is a folder; a store is a file, such as --store"));
  EXPECT_THAT(refusal("/dev/null"), HasSubstr("/dev/null is no regular file"));
  EXPECT_THAT(refusal(""), HasSubstr("a store needs a file name"));
  fs::create_directory(folder.file("b.db-wal"));
  EXPECT_THAT(refusal(folder.file("b.db")), HasSubstr("b.db-wal is a folder"));
}

TEST(StoreFile, RefusesANewerSchema) {
  const TemporaryFolder folder;
  ASSERT_EQ(refusal(folder.file("a.db")), "opened");
  make_database(folder.file("a.db"), "PRAGMA user_version = 99");
  EXPECT_THAT(refusal(folder.file("a.db")), HasSubstr("has schema 99, made by a newer lrtune"));
  const auto reader = open_for_reading(folder.file("a.db"));
  ASSERT_FALSE(reader);
  EXPECT_THAT(reader.error().message, HasSubstr("has schema 99, made by a newer lrtune"));
}

TEST(StoreFile, KnowsNetworkFileSystems) {
  EXPECT_EQ(network_file_system(0x6969, ""), "NFS");
  EXPECT_EQ(network_file_system(0xFE534D42, ""), "SMB");
  EXPECT_EQ(network_file_system(0x0BD00BD0, ""), "Lustre");
  EXPECT_EQ(network_file_system(0x47504653, ""), "GPFS");
  EXPECT_EQ(network_file_system(0x65735546, "fuse.sshfs"), "fuse.sshfs");
  EXPECT_EQ(network_file_system(0x65735546, "fuse.fuse-overlayfs"), std::nullopt);
  EXPECT_EQ(network_file_system(0xEF53, ""), std::nullopt);  // ext4
}

// What a store of schema `schema` could keep of `state`.
StoredState as_kept_by(int schema, StoredState state) {
  if (schema < 4) {
    for (CampaignRecord& campaign : state.campaigns) campaign.priority = 0;
    state.orders.clear();
  }
  if (schema < 2) {
    for (PointRecord& record : state.points) {
      record.point.train.confidence.reset();
      record.point.evaluated.confidence.reset();
    }
  }
  return state;
}

TEST(StoreFile, OpensEveryOldSchema) {
  StoredState whole;
  apply_records(whole, sample_records());
  for (int schema = 1; schema <= schema_version(); ++schema) {
    SCOPED_TRACE(testing::Message() << "schema " << schema);
    const TemporaryFolder folder;
    fs::copy_file(LRTUNE_FIXTURES "/store/schema" + std::to_string(schema) + ".db",
                  folder.file("old.db"));
    fs::permissions(folder.file("old.db"), fs::perms::owner_read | fs::perms::owner_write);
    auto store = SqliteStore::open(folder.file("old.db"));
    ASSERT_TRUE(store) << store.error().message;
    const auto state = (*store)->load();
    ASSERT_TRUE(state) << state.error().message;
    EXPECT_TRUE(*state == as_kept_by(schema, whole));
    // What is measured again fills in what was not measured.
    EXPECT_TRUE((*store)->commit(sample_records()));
    EXPECT_TRUE((*store)->load() == whole);
    store->reset();
    EXPECT_EQ(check_store(folder.file("old.db")).value().faults, std::vector<std::string>{});
  }
}

const std::array<Migration, 3> kSteps = {
    {{1, "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)"},
     {2, "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1"},
     {3, "CREATE TABLE b (z INTEGER) STRICT; INSERT INTO nowhere VALUES (1)"}}};

TEST(Migrations, KeepACopyOfWhatTheyChange) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.db");
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  ASSERT_TRUE(migrate(database, path, std::span(kSteps).first(1)));
  EXPECT_FALSE(fs::exists(path + ".schema0.backup"));  // nothing was there to lose
  const auto done = migrate(database, path, std::span(kSteps).first(2));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(version_of(database), 2);
  EXPECT_EQ(database.execAndGet("SELECT y FROM a").getInt(), 2);
  SQLite::Database backup(path + ".schema1.backup");
  EXPECT_EQ(version_of(backup), 1);
  EXPECT_EQ(backup.execAndGet("SELECT x FROM a").getInt(), 1);
}

TEST(Migrations, FailedStepChangesNothing) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.db");
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  ASSERT_TRUE(migrate(database, path, std::span(kSteps).first(1)));
  const auto done = migrate(database, path, kSteps);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message,
              HasSubstr("from schema 2 to 3: no such table: nowhere; it is left at schema 2"));
  EXPECT_EQ(version_of(database), 2);
  EXPECT_FALSE(database.tableExists("b"));
  EXPECT_EQ(database.execAndGet("PRAGMA foreign_keys").getInt(), 1);
  EXPECT_TRUE(fs::exists(path + ".schema2.backup"));
}

}  // namespace
}  // namespace lrtune

// Looking for damage, copying, and migrating by hand.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/random.h"
#include "coordinator/store/migrations.h"
#include "coordinator/store/row_checksum.h"
#include "coordinator/store/sqlite_store.h"
#include "coordinator/store/store_care.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// Makes the checksums of campaigns fit again.
void sum_campaigns(const std::string& path) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE);
  if (version_of(database) < 5) return;
  add_checksum_function(database);
  database.exec(
      "UPDATE campaign SET checksum = row_checksum('campaign', id, name, hash, experiment, state, "
      "failure, created_at, ended_at, busy_seconds, priority, paused, extensions)");
}

// The campaigns of sample records have made-up hashes; a coordinator's are those of their texts.
void name_campaigns(const std::string& path) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE);
  SQLite::Statement campaigns(database, "SELECT id, experiment FROM campaign");
  SQLite::Statement name(database, "UPDATE campaign SET hash = ? WHERE id = ?");
  while (campaigns.executeStep()) {
    const Digest hash = sha256(campaigns.getColumn(1).getString());
    name.bind(1, hash.bytes.data(), static_cast<int>(hash.bytes.size()));
    name.bind(2, campaigns.getColumn(0).getInt64());
    name.exec();
    name.reset();
  }
  sum_campaigns(path);
}

class StoreCare : public testing::Test {
 protected:
  void SetUp() override {
    store_ = std::move(SqliteStore::open(path()).value());
    ASSERT_TRUE(store_->commit(sample_records()));
    store_.reset();
    name_campaigns(path());
    store_ = std::move(SqliteStore::open(path()).value());
  }
  // A store of an older schema, as it was made then.
  std::string fixture(int schema) const {
    const std::string name = "schema" + std::to_string(schema) + ".db";
    fs::copy_file(fs::path(LRTUNE_FIXTURES) / "store" / name, folder_.file(name));
    name_campaigns(folder_.file(name));
    return folder_.file(name);
  }
  std::string path() const { return folder_.file("a.db"); }
  std::string copy() const { return folder_.file("copy.db"); }
  // Closes the store and changes it behind its back.
  void change(const std::string& sql) {
    store_.reset();
    SQLite::Database database(path(), SQLite::OPEN_READWRITE);
    database.exec("PRAGMA foreign_keys = OFF");
    database.exec(sql);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      names.push_back(entry.path().filename());
    return names;
  }

  TemporaryFolder folder_{memory_folder()};
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(StoreCare, AGoodStoreHasNoFaultBesideItsWriter) {
  const auto found = check_store(path());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->faults, IsEmpty());
  EXPECT_EQ(found->schema, schema_version());
  EXPECT_THAT(found->rows, Contains(Pair("trial", 12)));
}

TEST_F(StoreCare, EveryFixtureOfAnOlderSchemaHasNoFault) {
  for (int schema = 1; schema <= schema_version(); ++schema) {
    const auto found = check_store(fixture(schema));
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->schema, schema);
    EXPECT_THAT(found->faults, IsEmpty());
  }
}

TEST_F(StoreCare, NamesWhatDoesNotFitItsHash) {
  change(
      "UPDATE policy SET document = replace(document, '0.1', '0.2') WHERE id = 1;"
      "UPDATE campaign SET experiment = experiment || ' ' WHERE id = 1;"
      "UPDATE identity SET document = replace(document, '\"batch\":', '\"batch\":1') WHERE id = "
      "1;");
  const auto found = check_store(path());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->faults, testing::UnorderedElementsAre(
                                 "row 1 of policy does not fit its checksum",
                                 "row 1 of campaign does not fit its checksum",
                                 "row 1 of identity does not fit its checksum",
                                 "row 1 of policy: its document is not what its hash names",
                                 "row 1 of campaign: its experiment is not what its hash names",
                                 "row 1 of identity: its document is not what its hash names"));
}

// The hash of an extended campaign is that of the file it was made of.
TEST_F(StoreCare, AnExtendedExperimentHasTheHashOfTheFirst) {
  change("UPDATE campaign SET experiment = '{}', extensions = 1 WHERE id = 1");
  sum_campaigns(path());
  const auto found = check_store(path());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->faults, IsEmpty());
}

TEST_F(StoreCare, NamesRowsThatReferToNothing) {
  change("DELETE FROM policy WHERE id = 2");
  const auto found = check_store(path());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->faults, Contains(HasSubstr("of trial refers to a row of policy that is not")));
}

// Damage inside of a row that still looks like one is not noticed: most of it.
TEST_F(StoreCare, DamageIsAFaultOrAnErrorOrUnnoticedAndNeverMore) {
  store_.reset();
  {
    SQLite::Database database(path(), SQLite::OPEN_READWRITE);
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  const auto size = fs::file_size(path());
  std::ifstream input(path(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(input), {}};
  int noticed = 0;
  constexpr int kRounds = 40;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const std::string damaged = folder_.file("damaged.db");
    std::string bytes = whole;
    const auto at = 100 + random_bits("damage", 1, round) % (size - 200);
    for (std::uint64_t i = 0; i < 64; ++i) bytes[at + i] = static_cast<char>(bytes[at + i] ^ 0x5A);
    std::ofstream(damaged, std::ios::binary) << bytes;
    const auto found = check_store(damaged);
    if (!found || !found->faults.empty()) ++noticed;
  }
  EXPECT_GT(noticed, kRounds / 8);
}

TEST_F(StoreCare, ABackupIsTheStoreOfThatMoment) {
  const auto found = back_up_store(path(), copy());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->rows, Contains(Pair("trial", 12)));
  const auto copied = SqliteStore::open(copy());
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ((*copied)->load().value().trials, store_->load().value().trials);
}

// Workers ask by the history whether numbers mean the same.
TEST_F(StoreCare, ABackupBeginsAHistoryOfItsOwn) {
  const std::string before = store_->history();
  ASSERT_TRUE(back_up_store(path(), copy()));
  const std::string copied = SqliteStore::open(copy()).value()->history();
  EXPECT_NE(copied, before);
  EXPECT_EQ(copied.find('-'), std::string::npos);
  EXPECT_EQ(SqliteStore::open(copy()).value()->history(), copied);
  ASSERT_TRUE(back_up_store(copy(), folder_.file("again.db")));
  fs::copy_file(folder_.file("again.db"), folder_.file("second-life.db"));
  EXPECT_NE(SqliteStore::open(folder_.file("again.db")).value()->history(),
            SqliteStore::open(folder_.file("second-life.db")).value()->history())
      << "as often as it is put in a store's place";
  EXPECT_EQ(store_->history(), before);
}

TEST_F(StoreCare, ABackupReplacesNothing) {
  std::ofstream(copy()) << "mine";
  const auto found = back_up_store(path(), copy());
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("is there already"));
  EXPECT_EQ(fs::file_size(copy()), 4U);
}

TEST_F(StoreCare, ABackupOfADamagedStoreIsRefusedAndLeavesNothing) {
  change("UPDATE policy SET document = '{}' WHERE id = 1");
  const auto found = back_up_store(path(), copy());
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("row 1 of policy does not fit its checksum"));
  EXPECT_THAT(files(), testing::Not(Contains(HasSubstr("copy"))));
}

TEST_F(StoreCare, ABackupWhereNoneCanBeWrittenIsAnError) {
  const auto found = back_up_store(path(), folder_.file("nowhere/copy.db"));
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("cannot copy the store"));
}

TEST_F(StoreCare, MigrationKeepsTheOldStore) {
  const std::string old = fixture(1);
  const auto done = migrate_store(old);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->from, 1);
  EXPECT_EQ(done->to, schema_version());
  EXPECT_TRUE(fs::exists(old + ".schema1.backup"));
  EXPECT_THAT(check_store(old).value().faults, IsEmpty());
  EXPECT_EQ(migrate_store(old).value().from, schema_version());
}

TEST_F(StoreCare, NoStoreIsMadeAndNoneIsTakenFromItsWriter) {
  EXPECT_THAT(check_store(folder_.file("none.db")).error().message, HasSubstr("there is no store"));
  EXPECT_FALSE(back_up_store(folder_.file("none.db"), copy()));
  EXPECT_FALSE(migrate_store(folder_.file("none.db")));
  EXPECT_FALSE(fs::exists(folder_.file("none.db")));
  EXPECT_THAT(migrate_store(path()).error().message, HasSubstr("is in use"));
}

}  // namespace
}  // namespace lrtune

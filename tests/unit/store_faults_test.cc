// A disk that fails at any write or sync: a commit that returns an error leaves nothing behind, and
// the store goes on.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "coordinator/store/sqlite_store.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<SqliteStore> open_store(const std::string& path) {
  auto store = SqliteStore::open(path);
  if (!store) throw std::runtime_error(store.error().message);
  return *std::move(store);
}

StoredState state_of(SqliteStore& store) {
  auto state = store.load();
  if (!state) throw std::runtime_error(state.error().message);
  return *std::move(state);
}

// What a machine that died now would find after its restart.
StoredState state_after_crash(const std::string& path) {
  const TemporaryFolder folder(memory_folder());
  for (const char* end : {"", "-wal"}) {
    if (fs::exists(path + end)) fs::copy_file(path + end, folder.file("crashed.db") + end);
  }
  return state_of(*open_store(folder.file("crashed.db")));
}

struct FaultCase {
  const char* name;
  DiskFault fault;
  bool lasting;
};

class StoreFaults : public testing::TestWithParam<FaultCase> {};

struct Turns {
  std::vector<Record> first, second, third;
  explicit Turns(std::uint64_t seed) {
    RecordSource source(seed);
    for (auto* turn : {&first, &second, &third}) {
      for (int i = 0; i < 4; ++i) {
        for (Record& record : source.turn()) turn->push_back(std::move(record));
      }
    }
  }
};

// Lets operation number `operation` of a commit fail. False if the commit has fewer.
bool fail_one_commit(const FaultCase& fault, int operation) {
  SCOPED_TRACE(testing::Message() << "operation " << operation);
  const TemporaryFolder folder(memory_folder());
  const std::string path = folder.file("a.db");
  FaultyDisk disk;
  const Turns turns(static_cast<std::uint64_t>(operation) + 1);
  StoredState before, after;
  apply_records(before, turns.first);
  const auto store = open_store(path);
  EXPECT_TRUE(store->commit(turns.first));

  disk.fail(fault.fault, operation, fault.lasting);
  const auto done = store->commit(turns.second);
  after = before;
  apply_records(after, turns.second);
  const bool struck = disk.failed();
  if (done) {
    // A fault after the commit's last operation has not struck; the commit may not fail without
    // one.
    EXPECT_FALSE(struck);
  } else {
    EXPECT_TRUE(struck) << done.error().message;
    EXPECT_FALSE(store->commit(turns.third)) << "a store that failed wants load() first";
    disk.heal();
    const StoredState crashed = state_after_crash(path);
    // A failed sync may have reached the disk all the same; then the turn is whole.
    EXPECT_TRUE(crashed == before || (fault.fault == DiskFault::kSync && crashed == after));
  }
  disk.heal();
  EXPECT_TRUE(state_of(*store) == (done ? after : before));
  if (!done) {
    EXPECT_TRUE(state_after_crash(path) == before)
        << "after load() a failed turn may not come back";
    EXPECT_TRUE(store->commit(turns.second));
  }
  EXPECT_TRUE(store->commit(turns.third));
  apply_records(after, turns.third);
  EXPECT_TRUE(state_of(*store) == after);
  return struck;
}

TEST_P(StoreFaults, NothingOfAFailedCommitStays) {
  int operation = 0;
  while (fail_one_commit(GetParam(), operation) && !HasFailure()) ++operation;
  // Each commit writes the header, several frames and one sync of the write-ahead log.
  EXPECT_GE(operation, GetParam().fault == DiskFault::kSync ? 1 : 5);
}

INSTANTIATE_TEST_SUITE_P(Disk, StoreFaults,
                         testing::Values(FaultCase{"FullOnce", DiskFault::kFull, false},
                                         FaultCase{"FullForAWhile", DiskFault::kFull, true},
                                         FaultCase{"TornOnce", DiskFault::kTorn, false},
                                         FaultCase{"TornForAWhile", DiskFault::kTorn, true},
                                         FaultCase{"SyncOnce", DiskFault::kSync, false},
                                         FaultCase{"SyncForAWhile", DiskFault::kSync, true}),
                         [](const auto& one) { return std::string(one.param.name); });

// While the disk stays full the store says so at every attempt; when there is room again it goes
// on.
TEST(StoreOnAFullDisk, LoadsAgainWhenThereIsRoom) {
  const TemporaryFolder folder(memory_folder());
  FaultyDisk disk;
  const Turns turns(7);
  const auto store = open_store(folder.file("a.db"));
  ASSERT_TRUE(store->commit(turns.first));
  disk.fail(DiskFault::kFull, 0, true);
  const auto done = store->commit(turns.second);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("database or disk is full"), std::string::npos)
      << done.error().message;
  const auto refused = store->load();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("full"), std::string::npos) << refused.error().message;
  disk.heal();
  StoredState wanted;
  apply_records(wanted, turns.first);
  EXPECT_TRUE(state_of(*store) == wanted);
  ASSERT_TRUE(store->commit(turns.second));
  apply_records(wanted, turns.second);
  EXPECT_TRUE(state_of(*store) == wanted);
}

}  // namespace
}  // namespace lrtune

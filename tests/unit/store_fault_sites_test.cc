// A disk that fails at any write, sync or truncation of everything else than a plain commit: making
// a store, a checkpoint, a migration, a backup. What was acknowledged before stays, what failed is
// told, and when the disk is well again it goes on.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "coordinator/store/migrations.h"
#include "coordinator/store/sqlite_store.h"
#include "coordinator/store/store_care.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

namespace fs = std::filesystem;

struct FaultCase {
  const char* name;
  DiskFault fault;
  bool lasting;
};

StoredState state_of(const std::string& path) {
  auto store = SqliteStore::open(path);
  auto state = store ? (*store)->load() : Result<StoredState>(tl::unexpected(store.error()));
  if (!state) throw std::runtime_error(state.error().message);
  return *std::move(state);
}

StoredState sample_state() {
  StoredState state;
  apply_records(state, sample_records());
  return state;
}

void make_sample(const std::string& path) {
  auto store = SqliteStore::open(path);
  if (!store || !(*store)->commit(sample_records())) throw std::runtime_error("no sample store");
}

class StoreFaultSites : public testing::TestWithParam<FaultCase> {
 protected:
  // Calls `attempt`, which sets up a new folder, arms the disk with operation 0, 1, 2 ... and
  // gives whether the fault has struck, until it has not. At least `least` operations must fail.
  void at_every_operation(int least, const std::function<bool(FaultyDisk&, int)>& attempt) {
    int operation = 0;
    while (true) {
      SCOPED_TRACE(testing::Message() << "operation " << operation);
      FaultyDisk disk;
      if (!attempt(disk, operation) || HasFailure()) break;
      ++operation;
    }
    EXPECT_GE(operation, GetParam().fault == DiskFault::kTruncate ? 0 : least);
  }
  // Every operation of the few that are no writes, each `stride`th write.
  void arm(FaultyDisk& disk, int operation, int stride) {
    const DiskFault fault = GetParam().fault;
    const bool few = fault == DiskFault::kSync || fault == DiskFault::kTruncate;
    disk.fail(fault, few ? operation : operation * stride, GetParam().lasting);
  }
};

TEST_P(StoreFaultSites, AStoreIsMadeOrNotAndMadeTheNextTime) {
  at_every_operation(3, [this](FaultyDisk& disk, int operation) {
    const TemporaryFolder folder(memory_folder());
    arm(disk, operation, 13);
    {
      const auto store = SqliteStore::open(folder.file("a.db"));
      EXPECT_TRUE(store || disk.failed());
    }
    const bool struck = disk.failed();
    disk.heal();
    EXPECT_TRUE(state_of(folder.file("a.db")) == StoredState());
    return struck;
  });
}

// The whole of a store's life after its first commit: many commits, with a checkpoint among them.
TEST_P(StoreFaultSites, ACheckpointThatFailsLosesNothing) {
  // The records of one commit fill more than the 4,000 pages at which the log is emptied.
  const JobRecord job{
      JobId{}, sha256("k"), {}, {}, JobState::kPending, 0, 0, std::string(3500, 'w'), {}};
  std::vector<Record> many;
  for (std::int64_t i = 1; i <= 4200; ++i) {
    many.emplace_back(job);
    std::get<JobRecord>(many.back()).id.value = i;
  }
  StoredState whole;
  apply_records(whole, many);
  const TemporaryFolder first(memory_folder());
  const std::string made = first.file("a.db");
  { ASSERT_TRUE(SqliteStore::open(made)); }
  at_every_operation(2, [&](FaultyDisk& disk, int operation) {
    const TemporaryFolder folder(memory_folder());
    const std::string path = folder.file("a.db");
    fs::copy_file(made, path);
    auto store = SqliteStore::open(path).value();
    arm(disk, operation, 2503);
    const bool done = static_cast<bool>(store->commit(many));
    const bool struck = disk.failed();
    EXPECT_TRUE(done || struck);
    disk.heal();
    auto state = store->load();
    EXPECT_TRUE(state) << (state ? "" : state.error().message);
    if (!state) return false;
    EXPECT_TRUE(*state == (done ? whole : StoredState()));
    EXPECT_TRUE(done || store->commit(many));
    // A checkpoint that failed is known by the next commit at the latest.
    const std::vector<Record> more = {many.front()};
    if (!store->commit(more)) {
      EXPECT_TRUE(store->load());
      EXPECT_TRUE(store->commit(more));
    }
    store.reset();
    EXPECT_TRUE(state_of(path) == whole);
    return struck;
  });
}

TEST_P(StoreFaultSites, AMigrationIsWholeOrNotAtAllAndDoneTheNextTime) {
  const TemporaryFolder first(memory_folder());
  fs::copy_file(LRTUNE_FIXTURES "/store/schema3.db", first.file("a.db"));
  const StoredState whole = state_of(first.file("a.db"));
  at_every_operation(3, [&](FaultyDisk& disk, int operation) {
    const TemporaryFolder folder(memory_folder());
    const std::string path = folder.file("a.db");
    fs::copy_file(LRTUNE_FIXTURES "/store/schema3.db", path);
    arm(disk, operation, 11);
    {
      const auto store = SqliteStore::open(path);
      EXPECT_TRUE(store || disk.failed());
    }
    const bool struck = disk.failed();
    disk.heal();
    EXPECT_TRUE(state_of(path) == whole);
    // A copy of the old one, under its name, is never half.
    if (fs::exists(path + ".schema3.backup")) {
      const auto copy = check_store(path + ".schema3.backup");
      EXPECT_TRUE(copy && copy->schema == 3) << "the copy before the migration";
    }
    return struck;
  });
}

TEST_P(StoreFaultSites, ABackupIsWholeOrNotThere) {
  at_every_operation(1, [this](FaultyDisk& disk, int operation) {
    const TemporaryFolder folder(memory_folder());
    make_sample(folder.file("a.db"));
    arm(disk, operation, 3);
    const auto backup = back_up_store(folder.file("a.db"), folder.file("copy.db"));
    const bool struck = disk.failed();
    disk.heal();
    const bool is_there = fs::exists(folder.file("copy.db"));
    EXPECT_EQ(is_there, static_cast<bool>(backup));
    EXPECT_FALSE(fs::exists(folder.file("copy.db.unfinished")));
    EXPECT_TRUE(!is_there || state_of(folder.file("copy.db")) == sample_state());
    EXPECT_TRUE(state_of(folder.file("a.db")) == sample_state());
    return struck;
  });
}

INSTANTIATE_TEST_SUITE_P(Disk, StoreFaultSites,
                         testing::Values(FaultCase{"FullOnce", DiskFault::kFull, false},
                                         FaultCase{"FullForAWhile", DiskFault::kFull, true},
                                         FaultCase{"TornForAWhile", DiskFault::kTorn, true},
                                         FaultCase{"SyncOnce", DiskFault::kSync, false},
                                         FaultCase{"SyncForAWhile", DiskFault::kSync, true},
                                         FaultCase{"TruncateForAWhile", DiskFault::kTruncate,
                                                   true}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace lrtune

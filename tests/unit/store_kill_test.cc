// kill -9 at any moment loses no acknowledged commit and leaves no half of one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <random>
#include <vector>

#include "coordinator/store/sqlite_store.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

constexpr int kKills = 40;
constexpr std::int64_t kRowsACommit = 3;

JobRecord numbered_job(std::int64_t number) {
  JobRecord job;
  job.id.value = number;
  job.key = sha256("job " + std::to_string(number));
  job.attempt = number;
  return job;
}

// The child: commits jobs n+1, n+2, n+3 at a time and writes the last number into the pipe when
// they are durable.
[[noreturn]] void commit_until_killed(const std::string& path, int acknowledgements) {
  auto store = SqliteStore::open(path);
  auto state = store ? (*store)->load() : Result<StoredState>(tl::unexpected(store.error()));
  if (!state) _exit(3);
  std::int64_t last = static_cast<std::int64_t>(state->jobs.size());
  while (true) {
    std::vector<Record> records;
    for (std::int64_t i = 0; i < kRowsACommit; ++i) records.push_back(numbered_job(++last));
    if (!(*store)->commit(records)) _exit(4);
    if (write(acknowledgements, &last, sizeof last) != sizeof last) _exit(5);
  }
}

// Runs a child, kills it after `enough` acknowledgements and gives the last number that it
// acknowledged.
std::int64_t acknowledged_by_killed_child(const std::string& path, int enough) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    commit_until_killed(path, ends[1]);
  }
  close(ends[1]);
  std::int64_t last = 0;
  std::int64_t number = 0;
  for (int i = 0; read(ends[0], &number, sizeof number) == sizeof number; ++i) {
    last = number;
    if (i == enough) kill(child, SIGKILL);
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  return last;
}

TEST(StoreKill, NoAcknowledgedCommitIsLost) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.db");
  constexpr std::uint64_t kSeed = 20;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < kKills; ++i) {
    const int enough = static_cast<int>(random() % 12);
    const std::int64_t acknowledged = acknowledged_by_killed_child(path, enough);
    ASSERT_GT(acknowledged, 0);
    auto store = SqliteStore::open(path);
    ASSERT_TRUE(store) << store.error().message;
    const auto state = (*store)->load();
    ASSERT_TRUE(state) << state.error().message;
    const auto found = static_cast<std::int64_t>(state->jobs.size());
    // One commit more may be durable that the child had no time to acknowledge.
    ASSERT_GE(found, acknowledged);
    ASSERT_LE(found, acknowledged + kRowsACommit);
    ASSERT_EQ(found % kRowsACommit, 0);
    for (std::int64_t number = 1; number <= found; ++number) {
      ASSERT_TRUE(state->jobs[static_cast<std::size_t>(number - 1)] == numbered_job(number))
          << number;
    }
  }
}

}  // namespace
}  // namespace lrtune

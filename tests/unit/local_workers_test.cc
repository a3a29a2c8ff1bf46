#include "coordinator/cli/local_workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// A shell script in the place of lrtune-worker.
class LocalWorkersTest : public testing::Test {
 protected:
  LocalWorkerOptions running(const std::string& script) {
    const std::string program = folder_.file("worker.sh");
    std::ofstream(program) << "#!/bin/sh\n" << script << '\n';
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    LocalWorkerOptions options;
    options.program = program;
    options.endpoint = "tcp://127.0.0.1:1";
    options.device = "cpu";
    options.logs = folder_.path();
    return options;
  }

  // Waits for the next worker to end, with a deadline.
  std::optional<WorkerEnd> next_end(LocalWorkers& workers, SteadyTime now, bool joined) {
    std::vector<pollfd> polled;
    for (const int descriptor : workers.descriptors()) polled.push_back({descriptor, POLLIN, 0});
    poll(polled.data(), polled.size(), 20'000);
    for (const pollfd& one : polled) {
      if (one.revents == 0) continue;
      return workers.ended(one.fd, now, [&](const std::string&) { return joined; });
    }
    return std::nullopt;
  }

  std::string log() const {
    std::ifstream stream(folder_.file("worker-1.log"));
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  TemporaryFolder folder_;
  const SteadyTime start_{};
};

TEST_F(LocalWorkersTest, AWorkerGetsItsArgumentsAndALog) {
  LocalWorkerOptions options = running("echo \"$@\" >&2");
  options.threads = 3;
  options.arguments = {"--trainer", "synthetic"};
  LocalWorkers workers(options);
  ASSERT_TRUE(workers.start(1));
  const auto end = next_end(workers, start_, true);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->reason, "worker-1 exited with code 0");
  EXPECT_EQ(log(),
            "--connect tcp://127.0.0.1:1 --name worker-1 --device cpu --threads 3 --parent " +
                std::to_string(getpid()) + " --trainer synthetic\n");
}

TEST_F(LocalWorkersTest, ADeadWorkerIsStartedAgainWithGrowingDelay) {
  LocalWorkers workers(running("kill -9 $$"));
  ASSERT_TRUE(workers.start(1));
  auto end = next_end(workers, start_, true);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->reason, "worker-1 was killed by signal 9 (Killed)");
  EXPECT_FALSE(end->given_up);

  ASSERT_TRUE(workers.restart_due(start_ + milliseconds(499)));
  EXPECT_EQ(workers.running(), 0);
  ASSERT_TRUE(workers.restart_due(start_ + milliseconds(500)));
  EXPECT_EQ(workers.running(), 1);
  ASSERT_TRUE(next_end(workers, start_, false));
  ASSERT_TRUE(workers.restart_due(start_ + milliseconds(999)));
  EXPECT_EQ(workers.running(), 0) << "the second death in a row waits twice as long";
  ASSERT_TRUE(workers.restart_due(start_ + milliseconds(1000)));
  EXPECT_EQ(workers.running(), 1);
}

TEST_F(LocalWorkersTest, AWorkerThatNeverJoinsIsGivenUpWithTheEndOfItsLog) {
  LocalWorkers workers(running("echo no such device >&2; exit 3"));
  ASSERT_TRUE(workers.start(1));
  for (int death = 1; death <= 2; ++death) {
    const auto end = next_end(workers, start_, false);
    ASSERT_TRUE(end);
    EXPECT_FALSE(end->given_up);
    ASSERT_TRUE(workers.restart_due(start_ + std::chrono::hours(1)));
  }
  const auto end = next_end(workers, start_, false);
  ASSERT_TRUE(end && end->given_up);
  EXPECT_THAT(*end->given_up,
              HasSubstr("worker-1 exited with code 3 before it could join, 3 times"));
  EXPECT_THAT(*end->given_up, HasSubstr("worker-1.log ends with:\n  no such device"));
}

TEST_F(LocalWorkersTest, AfterStopNothingIsStartedAgain) {
  LocalWorkers workers(running("exit 0"));
  ASSERT_TRUE(workers.start(1));
  workers.stop();
  ASSERT_TRUE(next_end(workers, start_, true));
  ASSERT_TRUE(workers.restart_due(start_ + std::chrono::hours(1)));
  EXPECT_EQ(workers.running(), 0);
}

TEST_F(LocalWorkersTest, SignalsReachAWorkerAlthoughTheyAreBlockedHere) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  LocalWorkers workers(running("exec cat /dev/zero > /dev/null"));
  const auto started = workers.start(1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(started);
  workers.terminate("worker-1");
  const auto end = next_end(workers, start_, true);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->reason, "worker-1 was killed by signal 15 (Terminated)");
}

TEST_F(LocalWorkersTest, AProgramThatCannotRunIsAnError) {
  LocalWorkerOptions options = running("exit 0");
  options.program = folder_.file("nothing");
  LocalWorkers workers(options);
  const auto started = workers.start(2);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("cannot run " + folder_.file("nothing")));
}

}  // namespace
}  // namespace lrtune

#include "coordinator/cli/local_workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

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
  std::optional<LocalWorkerEnd> next_end(LocalWorkers& workers, SteadyTime now, bool joined,
                                         bool finished = false) {
    std::vector<pollfd> polled;
    for (const int descriptor : workers.descriptors()) polled.push_back({descriptor, POLLIN, 0});
    poll(polled.data(), polled.size(), 20'000);
    for (const pollfd& one : polled) {
      if (one.revents == 0) continue;
      return workers.ended(one.fd, now, [&](const std::string&) {
        return WorkerStanding{joined, finished};
      });
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
  options.place = "user@node7";
  options.arguments = {"--trainer", "synthetic"};
  LocalWorkers workers(options);
  ASSERT_TRUE(workers.start(1));
  const auto end = next_end(workers, start_, true);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->worker, "user@node7/worker-1");
  EXPECT_EQ(end->reason, "worker-1 exited with code 0");
  EXPECT_EQ(log(),
            "--connect tcp://127.0.0.1:1 --name user@node7/worker-1 --device cpu --threads 3 "
            "--parent " +
                std::to_string(getpid()) + " --trainer synthetic\n");
}

TEST_F(LocalWorkersTest, TheEndOfAWorkerSaysWhereItsLogIsAndWhatItSaidLast) {
  LocalWorkers workers(running("echo first; echo cannot go on; kill -9 $$"));
  ASSERT_TRUE(workers.start(1));
  const auto end = next_end(workers, start_, true);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->log, "its log " + folder_.file("worker-1.log") + " ends with: cannot go on");
}

TEST_F(LocalWorkersTest, ALongLastLineIsCutAndAnEmptyLogIsCalledSo) {
  LocalWorkers chatty(running("printf 'x%.0s' $(seq 1000)"));
  ASSERT_TRUE(chatty.start(1));
  EXPECT_EQ(
      next_end(chatty, start_, true).value().log,
      "its log " + folder_.file("worker-1.log") + " ends with: " + std::string(300, 'x') + "...");
  std::filesystem::remove(folder_.file("worker-1.log"));
  LocalWorkers silent(running("exit 1"));
  ASSERT_TRUE(silent.start(1));
  EXPECT_EQ(next_end(silent, start_, true).value().log,
            "its log " + folder_.file("worker-1.log") + " is empty");
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

// Bug: joining was taken for progress, so that a worker which died at once after it was started
// again each half second, for ever.
TEST_F(LocalWorkersTest, AWorkerThatJoinsAndDiesWaitsLongerEachTimeAndIsGivenUp) {
  LocalWorkerOptions options = running("echo illegal instruction >&2; kill -4 $$");
  options.deaths = 5;
  LocalWorkers workers(options);
  ASSERT_TRUE(workers.start(1));
  SteadyTime now = start_;
  for (const int delay : {500, 1000, 2000, 4000}) {
    const auto end = next_end(workers, now, true);
    ASSERT_TRUE(end);
    EXPECT_FALSE(end->given_up);
    ASSERT_TRUE(workers.restart_due(now + milliseconds(delay - 1)));
    EXPECT_EQ(workers.running(), 0) << delay;
    now += milliseconds(delay);
    ASSERT_TRUE(workers.restart_due(now));
    EXPECT_EQ(workers.running(), 1) << delay;
  }
  const auto end = next_end(workers, now, true);
  ASSERT_TRUE(end && end->given_up);
  EXPECT_THAT(*end->given_up, HasSubstr("before it could finish a job, 5 times in a row"));
  EXPECT_THAT(*end->given_up, HasSubstr("worker-1.log ends with:\n"));
  EXPECT_THAT(*end->given_up, HasSubstr("illegal instruction"));
}

TEST_F(LocalWorkersTest, AFinishedJobAndALastingRunAreProgress) {
  LocalWorkerOptions options = running("exit 1");
  options.deaths = 2;
  LocalWorkers workers(options);
  ASSERT_TRUE(workers.start(1));
  SteadyTime now = start_;
  for (int end = 0; end < 6; ++end) {
    ASSERT_TRUE(workers.restart_due(now));
    const bool finished = end % 2 == 0;
    if (!finished) now += options.lasting;
    const auto ended = next_end(workers, now, true, finished);
    ASSERT_TRUE(ended);
    EXPECT_FALSE(ended->given_up) << end;
    ASSERT_TRUE(workers.restart_due(now + milliseconds(500)));
    EXPECT_EQ(workers.running(), 1) << end;
  }
}

// Bug: a second SIGTERM, which kills a worker at once, followed 200 ms after the first.
TEST_F(LocalWorkersTest, AProcessIsTerminatedOnce) {
  LocalWorkerOptions options = running(
      "trap 'echo asked >&2' TERM\n"
      "cat \"$0.go\" & cat=$!\n"
      "echo ready >&2\n"
      "while kill -0 $cat; do wait $cat; done\n");
  const std::string go = options.program.string() + ".go";
  ASSERT_EQ(mkfifo(go.c_str(), 0600), 0);
  LocalWorkers workers(options);
  ASSERT_TRUE(workers.start(1));
  const auto has = [this](const std::string& text) {
    return log().find(text) != std::string::npos;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!has("ready") && std::chrono::steady_clock::now() < deadline) continue;
  workers.terminate("worker-1");
  while (!has("asked") && std::chrono::steady_clock::now() < deadline) continue;
  workers.terminate("worker-1");
  std::ofstream(go) << "go";
  ASSERT_TRUE(next_end(workers, start_, true));
  const std::string said = log();
  EXPECT_NE(said.find("asked"), std::string::npos);
  EXPECT_EQ(said.find("asked"), said.rfind("asked")) << said;
}

TEST_F(LocalWorkersTest, OpenMpWaitsWithoutACoreUnlessTheUserSaysOtherwise) {
  LocalWorkerOptions options = running("echo \"policy=$OMP_WAIT_POLICY\" >&2");
  const auto policy = [&](int threads) {
    options.threads = threads;
    LocalWorkers workers(options);
    EXPECT_TRUE(workers.start(1));
    EXPECT_TRUE(next_end(workers, start_, true));
    const std::string said = log();
    return said.substr(said.rfind("policy="));
  };
  unsetenv("OMP_WAIT_POLICY");
  EXPECT_EQ(policy(2), "policy=passive\n");
  EXPECT_EQ(policy(1), "policy=\n");
  setenv("OMP_WAIT_POLICY", "active", 1);
  EXPECT_EQ(policy(2), "policy=active\n");
  unsetenv("OMP_WAIT_POLICY");
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

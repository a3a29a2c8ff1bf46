// Stops and kills at many moments: no finished trial is lost or run again, and the next run goes
// on.
#include <signal.h>

#include <fstream>

#include "tests/e2e/run_test_base.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

constexpr int kSlow = 4000;  // microseconds an iteration: a trial takes 0.16 s

const char* const kKilled = "was killed by signal 9 (Killed); it is started again";
const char* const kStopping = "lrtune: stopping; once more kills the workers";
const char* const kStopped =
    "lrtune: stopped; what is done is kept in lrtune.db. The same command goes on.";

class InterruptedRunTest : public RunTest {
 protected:
  // A run that is waited for until `ended` jobs have ended, or only until it is under way.
  Process run_until(std::int64_t ended) const {
    Process process = run({"--workers", "2"}, kSlow);
    process.until(std::to_string(ended) + " jobs have ended and others run", [&] {
      return ended_jobs() >= ended && (campaign_state() == "surveying" || running_jobs() > 0);
    });
    return process;
  }

  std::int64_t running_jobs() const {
    std::int64_t running = 0;
    for (const auto& [id, job] : jobs()) running += job.state == "running" ? 1 : 0;
    return running;
  }

  // What stands behind `name` in the process's command line.
  static std::string argument_of(int process, const std::string& name) {
    std::ifstream line("/proc/" + std::to_string(process) + "/cmdline");
    for (std::string argument; std::getline(line, argument, '\0');) {
      if (argument == name && std::getline(line, argument, '\0')) return argument;
    }
    return {};
  }

  static void expect_gone(const std::vector<int>& processes) {
    for (const int process : processes) {
      EXPECT_TRUE(ended_within(process, 20)) << "process " << process << " outlived its parent";
    }
  }

  void finish(const std::vector<std::string>& expected = {}) const {
    const ProcessResult result = run({"--workers", "2"}).wait();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    expect_usual_output(result.err, expected);
    expect_whole_campaign();
  }
};

TEST_F(InterruptedRunTest, CtrlCStopsCleanlyAndTheNextRunGoesOn) {
  Process process = run_until(2);
  const std::vector<int> workers = process.children();
  EXPECT_EQ(workers.size(), 2U);
  process.signal(SIGINT);
  const ProcessResult stopped = process.wait(20);
  EXPECT_EQ(stopped.exit_code, 75);
  EXPECT_EQ(stopped.out, "");
  expect_usual_output(stopped.err, {kStopping, kStopped});
  EXPECT_THAT(stopped.err, HasSubstr(kStopped));
  expect_gone(workers);
  const auto before = jobs();
  for (const auto& [id, job] : before) {
    EXPECT_EQ(job.deaths, 0) << "a stop is nobody's death";
    EXPECT_NE(job.state, "running");
  }
  finish();
  expect_untouched(before);
}

TEST_F(InterruptedRunTest, TerminateIsLikeCtrlC) {
  Process process = run_until(0);
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(20).exit_code, 75);
  finish();
}

TEST_F(InterruptedRunTest, ASecondCtrlCKillsWorkersThatDoNotLeave) {
  Process process = run_until(1);
  const std::vector<int> workers = process.children();
  for (const int worker : workers) kill(worker, SIGSTOP);
  process.signal(SIGINT);
  process.until_error_has(kStopping);
  process.signal(SIGINT);
  const ProcessResult stopped = process.wait(10);
  EXPECT_EQ(stopped.exit_code, 75);
  expect_usual_output(stopped.err, {kStopping, "lrtune: killing the workers", kStopped});
  expect_gone(workers);
  const auto before = jobs();
  finish();
  expect_untouched(before);
}

TEST_F(InterruptedRunTest, AKilledWorkerIsStartedAgainAndItsJobGoesOn) {
  Process process = run_until(1);
  const auto before = jobs();
  kill(process.children().at(0), SIGKILL);
  const ProcessResult result = process.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  expect_usual_output(result.err, {kKilled});
  EXPECT_THAT(result.err, HasSubstr(kKilled));
  expect_whole_campaign();
  expect_untouched(before);
  std::int64_t deaths = 0;
  for (const auto& [id, job] : jobs()) deaths += job.deaths;
  EXPECT_LE(deaths, 1);
}

TEST_F(InterruptedRunTest, AKilledCoordinatorTakesItsWorkersWithIt) {
  Process process = run_until(1);
  const std::vector<int> workers = process.children();
  process.signal(SIGKILL);
  EXPECT_EQ(process.wait(20).signal, SIGKILL);
  expect_gone(workers);
  const auto before = jobs();
  finish();
  expect_untouched(before);
}

TEST_F(InterruptedRunTest, KillingEverythingAgainAndAgainLosesNothing) {
  // From before the first worker has joined into the verification; more often than a job may lose
  // its worker.
  std::map<std::int64_t, StoredJob> before;
  for (const std::int64_t ended : {0, 0, 1, 2, 3, 5, 6}) {
    SCOPED_TRACE(testing::Message() << "killed after " << ended << " ended jobs");
    Process process = run_until(ended);
    std::vector<int> everything = process.children();
    process.signal(SIGKILL);
    for (const int worker : everything) kill(worker, SIGKILL);
    EXPECT_EQ(process.wait(20).signal, SIGKILL);
    expect_usual_output(process.err());
    expect_gone(everything);
    expect_untouched(before);
    before = jobs();
  }
  finish();
  expect_untouched(before);
  for (const auto& [id, job] : jobs()) EXPECT_EQ(job.deaths, 0) << "job " << id;
}

// A client may find the coordinator of `lrtune run` as well: the run went on for ever after a
// cancel, and one that was paused gave up when it was started again.
TEST_F(InterruptedRunTest, ACampaignThatIsCancelledOrPausedFromElsewhereEndsOrWaits) {
  Process process = run_until(1);
  const auto order = [&](const std::string& what) {
    const std::string endpoint = argument_of(process.children().at(0), "--connect");
    const ProcessResult done = lrtune({what, "tiny", "--coordinator", endpoint}).wait();
    EXPECT_EQ(done.exit_code, 0) << done.err;
  };
  order("cancel");
  const ProcessResult cancelled = process.wait();
  EXPECT_EQ(cancelled.exit_code, 1);
  const std::string words = "lrtune: tiny was cancelled; the same command takes it up again";
  expect_usual_output(cancelled.err, {words, "tiny: cancelled"});
  EXPECT_THAT(cancelled.err, HasSubstr(words));
  const auto before = jobs();

  process = run_until(2);
  order("pause");
  process.until("nothing runs", [&] { return running_jobs() == 0; });
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(20).exit_code, 75);
  finish();
  expect_untouched(before);
}

}  // namespace
}  // namespace lrtune

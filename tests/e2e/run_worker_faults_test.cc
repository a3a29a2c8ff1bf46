// Real workers that hang, sleep past their lease, or keep dying with one job.
#include <signal.h>

#include <filesystem>

#include "tests/e2e/run_test_base.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

class WorkerFaultsTest : public RunTest {
 protected:
  Process run_with(const std::string& trainer, const std::vector<std::string>& worker_arguments,
                   const std::string& workers = "2") const {
    write("experiment.yaml", experiment());
    std::vector<std::string> arguments{"run", "experiment.yaml", "--output",
                                       "out", "--workers",       workers};
    const auto add = [&](const std::string& argument) {
      arguments.push_back("--worker-argument=" + argument);
    };
    add("--trainer");
    add(trainer);
    for (const std::string& argument : worker_arguments) add(argument);
    return lrtune(arguments);
  }

  std::string logs() const { return read("out/logs/worker-1.log") + read("out/logs/worker-2.log"); }

  std::int64_t jobs_that(const std::function<bool(const StoredJob&)>& holds) const {
    std::int64_t count = 0;
    for (const auto& [id, job] : jobs()) count += holds(job) ? 1 : 0;
    return count;
  }
};

TEST_F(WorkerFaultsTest, AThreadThatHangsIsFoundAndItsJobGoesOnElsewhere) {
  const std::string once = folder_.file("has-hung");
  Process process =
      run_with("synthetic:iteration_us=500,hang_at=20,hang_once=" + once, {"--watchdog", "4"});
  const ProcessResult result = process.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(std::filesystem::exists(once));
  // The rest may be done before the worker has ended.
  expect_usual_output(result.err, {"exited with code 3; it is started again"});
  EXPECT_THAT(logs(), HasSubstr("its training thread made no "
                                "step for 4 s, since iteration 20"));
  expect_whole_campaign();
  EXPECT_GE(jobs_that([](const StoredJob& job) { return job.attempt == 2; }), 1);
}

// Late reports of the old attempts change nothing, and the worker goes on with new jobs.
TEST_F(WorkerFaultsTest, AWorkerThatWakesUpAfterItsLeaseChangesNothing) {
  constexpr int kIterationUs = 100'000;  // a job takes 4 s, the lease 10 s
  Process process = run({"--workers", "2"}, kIterationUs);
  const auto running = [&] {
    return jobs_that([](const StoredJob& job) { return job.state == "running" && job.points > 1; });
  };
  process.until("both workers train", [&] { return running() == 2; });
  const int sleeper = process.children().at(0);
  kill(sleeper, SIGSTOP);
  process.until("its job went back to the queue and on to the other worker", [&] {
    return jobs_that([](const StoredJob& job) { return job.attempt == 2 && job.points > 2; }) == 1;
  });
  const auto before = jobs();
  kill(sleeper, SIGCONT);
  process.until("it is told that its attempt is over", [&] {
    return logs().find("reason=\"this attempt was given up\"") != std::string::npos;
  });
  const ProcessResult result = process.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  expect_usual_output(result.err);
  expect_whole_campaign();
  expect_untouched(before);
  EXPECT_GE(jobs_that([](const StoredJob& job) { return job.attempt == 2; }), 1);
}

TEST_F(WorkerFaultsTest, AJobThatKillsItsWorkersIsSetAsideWithTheirLog) {
  Process process = run_with("synthetic:iteration_us=100000", {}, "1");
  // Whoever trains is killed, as often as a job may lose its worker.
  for (std::int64_t deaths = 1; deaths <= 3; ++deaths) {
    process.until("the job trains", [&] {
      return jobs().contains(1) && jobs().at(1).state == "running" &&
             jobs().at(1).deaths == deaths - 1 && !process.children().empty();
    });
    kill(process.children().at(0), SIGKILL);
    process.until("the death is counted", [&] { return jobs().at(1).deaths == deaths; });
  }
  process.until("the job is set aside", [&] { return count_decisions("poisoned") == 1; });
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(30).exit_code, 75);
  const ProcessResult why = lrtune({"why", "1", "--store", "lrtune.db"}).wait();
  EXPECT_THAT(why.out, HasSubstr("worker-1 was killed by signal 9 (Killed); its log "
                                 "out/logs/worker-1.log ends with: "));
  EXPECT_THAT(read("out/logs/worker-1.log"), HasSubstr("event=started job=1 attempt=3"));
}

TEST_F(WorkerFaultsTest, AWorkerWhoseWalltimeEndsHandsItsJobBack) {
  Process process =
      run_with("synthetic:iteration_us=100000", {"--walltime", "4", "--leave-before", "2"}, "1");
  process.until("it has left and was started again", [&] {
    return read("out/logs/worker-1.log").find("reason=\"its walltime of 4 s is nearly over") !=
               std::string::npos &&
           count_decisions("requeued") > 0;
  });
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(30).exit_code, 75);
  EXPECT_EQ(jobs_that([](const StoredJob& job) { return job.deaths > 0; }), 0);
}

}  // namespace
}  // namespace lrtune

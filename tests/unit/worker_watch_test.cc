// The worker's state machine: threads that hang, and leaving within a bound.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/worker_core_fixture.h"

namespace lrtune::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class WorkerWatchTest : public WorkerCoreTest {
 protected:
  WorkerWatchTest() {
    options_.watchdog = 60s;
    options_.stop_within = 20s;
  }

  void entered(std::int64_t job, TrainingPhase phase, std::int64_t iteration = 0) {
    step(worker_event::JobProgressed{JobId{job}, 1, iteration, phase});
  }

  // A job that trains.
  void train(std::int64_t job) {
    receive(assignment(job, 1));
    started(job, 1);
    entered(job, TrainingPhase::kTraining);
  }

  // Second by second, as the loop does at least; the coordinator lives. What comes of it, but for
  // signs of life.
  std::vector<std::string> wait(std::chrono::seconds time) {
    for (auto left = time; left > 0s; left -= 1s) {
      pass(1s);
      receive(wire::Heartbeat{});
    }
    std::vector<std::string> words = take();
    std::erase_if(words, [](const std::string& word) {
      return word == "heartbeat" || word.starts_with("progress");
    });
    return words;
  }

  std::string last_message() const {
    for (auto action = actions_.rbegin(); action != actions_.rend(); ++action) {
      const auto* send = std::get_if<worker_action::Send>(&*action);
      if (send == nullptr) continue;
      if (const auto* finished = std::get_if<wire::Finished>(&send->message))
        return finished->outcome.message;
    }
    return {};
  }

  bool abandons_threads() const {
    return std::get<worker_action::Exit>(actions_.back()).abandons_threads;
  }
};

TEST_F(WorkerWatchTest, AThreadThatMakesNoStepIsReportedAndTheWorkerEndsWithoutIt) {
  join(2);
  train(7);
  train(8);
  drop();
  EXPECT_THAT(wait(59s), IsEmpty());
  entered(8, TrainingPhase::kTraining, 5);
  drop();
  pass(1s);
  EXPECT_EQ(last_message(), "its training thread made no step for 60 s, since iteration 0");
  EXPECT_THAT(take(),
              ElementsAre("finished 7.1 #1 failed_here", "stop 7.1", "stop 8.1", "heartbeat"));
  receive(assignment(9, 1));
  EXPECT_THAT(take(), ElementsAre("refused 9.1 this worker is leaving"));
  acknowledge(7, 1, 1);
  finished(8, 1, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("finished 8.1 #1 stopped"));
  acknowledge(8, 1, 1);
  EXPECT_TRUE(abandons_threads());
  EXPECT_THAT(take(), ElementsAre("goodbye",
                                  "exit 3: the training thread of job 7 made no step for 60 s, "
                                  "since iteration 0"));
}

TEST_F(WorkerWatchTest, EachStepStartsTheWatchAnew) {
  join();
  train(7);
  drop();
  for (std::int64_t iteration = 1; iteration < 10; ++iteration) {
    EXPECT_THAT(wait(59s), IsEmpty());
    entered(7, TrainingPhase::kTraining, iteration);
  }
  EXPECT_THAT(wait(60s), Contains("finished 7.1 #1 failed_here"));
}

TEST_F(WorkerWatchTest, ADeclaredPhaseMayTakeTenTimesAsLong) {
  for (const TrainingPhase phase :
       {TrainingPhase::kLoading, TrainingPhase::kEvaluating, TrainingPhase::kCheckpointing,
        TrainingPhase::kWaitingForDevice}) {
    join();
    train(7);
    entered(7, phase, 3);
    drop();
    EXPECT_THAT(wait(599s), IsEmpty());
    now_ += 1s;
    tick();
    EXPECT_EQ(last_message(),
              "its training thread has been " + std::string(name_of(phase)) + " for 600 s");
    drop();
  }
}

TEST_F(WorkerWatchTest, AJobThatNeverBeginsHangsToo) {
  join();
  receive(assignment(7, 1));
  drop();
  EXPECT_THAT(wait(599s), IsEmpty());
  EXPECT_THAT(wait(1s), Contains("finished 7.1 #1 failed_here"));
}

TEST_F(WorkerWatchTest, ACancelledAttemptWhoseThreadHangsEndsTheWorkerToo) {
  join();
  train(7);
  receive(wire::Cancel{JobId{7}, 1, "paused"});
  drop();
  EXPECT_THAT(wait(60s),
              ElementsAre("goodbye",
                          "exit 3: the training thread of job 7 made no step for 60 s, since "
                          "iteration 0"));
}

TEST_F(WorkerWatchTest, WhatAThreadSaysThatWakesUpLateChangesNothing) {
  join(2);
  train(7);
  train(8);
  wait(60s);
  measured(7, 1, 5);
  entered(7, TrainingPhase::kTraining, 6);
  finished(7, 1);
  EXPECT_THAT(take(), IsEmpty());
  acknowledge(7, 1, 1);
  finished(8, 1, OutcomeKind::kStopped);
  acknowledge(8, 1, 1);
  EXPECT_FALSE(abandons_threads()) << "all threads have ended";
}

TEST_F(WorkerWatchTest, AProcessThatStoodStillBlamesNoThread) {
  join();
  train(7);
  drop();
  wait(30s);
  now_ += 1h;  // SIGSTOP
  tick();
  drop();
  EXPECT_THAT(wait(29s), Not(Contains("stop 7.1")));
  EXPECT_THAT(wait(1s), Contains("stop 7.1"));
}

TEST_F(WorkerWatchTest, ZeroWatchesNobody) {
  options_.watchdog = 0s;
  join();
  train(7);
  receive(wire::Survey{1, {}});
  drop();
  EXPECT_THAT(wait(5000s), IsEmpty());
}

TEST_F(WorkerWatchTest, ASurveyThatHangsIsAnsweredAndTheWorkerEnds) {
  join();
  receive(wire::Survey{1, {}});
  receive(wire::Survey{2, {}});
  wait(599s);
  step(worker_event::SurveyDone{1, DataFacts{}});
  drop();
  EXPECT_THAT(wait(599s), IsEmpty()) << "they are made one after the other";
  now_ += 1s;
  tick();
  EXPECT_TRUE(abandons_threads());
  EXPECT_THAT(take(), ElementsAre("surveyed the survey did not end within 600 s", "heartbeat",
                                  "goodbye", "exit 3: a survey did not end within 600 s"));
}

TEST_F(WorkerWatchTest, ALeavingWorkerWaitsForNoSurvey) {
  join();
  receive(wire::Survey{1, {}});
  step(worker_event::StopRequested{"SIGTERM"});
  EXPECT_TRUE(abandons_threads());
  EXPECT_THAT(take(), ElementsAre("survey 1", "goodbye", "exit 0: SIGTERM"));
}

TEST_F(WorkerWatchTest, AThreadThatDoesNotStopIsLeftBehind) {
  join();
  train(7);
  step(worker_event::StopRequested{"SIGTERM"});
  drop();
  EXPECT_THAT(wait(19s), IsEmpty());
  now_ += 1s;
  tick();
  EXPECT_EQ(last_message(), "its training thread did not stop in time; it was training");
  EXPECT_THAT(take(), Contains("finished 7.1 #1 stopped"));
  acknowledge(7, 1, 1);
  EXPECT_TRUE(abandons_threads());
  EXPECT_THAT(take(), ElementsAre("goodbye", "exit 0: SIGTERM"));
}

TEST_F(WorkerWatchTest, ACheckpointMayTakeTenTimesAsLongWhenItLeaves) {
  join();
  train(7);
  step(worker_event::StopRequested{"SIGTERM"});
  wait(10s);
  entered(7, TrainingPhase::kCheckpointing, 5);
  EXPECT_THAT(wait(199s), IsEmpty());
  EXPECT_THAT(wait(1s), Contains("finished 7.1 #1 stopped"));
}

TEST_F(WorkerWatchTest, AskedTwiceItLeavesAtOnce) {
  join(2);
  train(7);
  receive(assignment(8, 1));
  receive(assignment(9, 1));
  step(worker_event::StopRequested{"SIGTERM"});
  drop();
  step(worker_event::StopRequested{"SIGTERM again", true});
  EXPECT_TRUE(abandons_threads());
  EXPECT_THAT(take(),
              ElementsAre("goodbye", "exit 0: SIGTERM again: it leaves without checkpoints"));
}

TEST_F(WorkerWatchTest, LeavesByItselfBeforeItsWalltimeIsOver) {
  options_.walltime = 1000s;
  options_.leave_before = 60s;
  join();
  train(7);
  drop();
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(wait(46s), IsEmpty());
    entered(7, TrainingPhase::kTraining, i + 1);
  }
  EXPECT_THAT(wait(19s), IsEmpty());
  EXPECT_THAT(wait(1s), ElementsAre("stop 7.1"));
  receive(assignment(8, 1));
  EXPECT_THAT(take(), ElementsAre("refused 8.1 this worker is leaving"));
  finished(7, 1, OutcomeKind::kStopped);
  acknowledge(7, 1, 1);
  EXPECT_THAT(take(), ElementsAre("finished 7.1 #1 stopped", "goodbye",
                                  "exit 0: its walltime of 1000 s is nearly over"));
}

TEST_F(WorkerWatchTest, TheTimeOfACheckpointIsKeptFreeToo) {
  options_.walltime = 1000s;
  options_.leave_before = 60s;
  options_.watchdog = 0s;
  join();
  train(7);
  entered(7, TrainingPhase::kCheckpointing);
  wait(100s);
  entered(7, TrainingPhase::kTraining);
  drop();
  EXPECT_THAT(wait(739s), IsEmpty());
  EXPECT_THAT(wait(1s), ElementsAre("stop 7.1"));
}

TEST_F(WorkerWatchTest, WhatDoesNotStopIsLeftBehindBeforeTheWalltimeIsOver) {
  options_.walltime = 100s;
  options_.leave_before = 60s;
  options_.stop_within = 1000s;
  options_.watchdog = 0s;
  join();
  train(7);
  EXPECT_THAT(wait(40s), Contains("stop 7.1"));
  EXPECT_THAT(wait(54s), IsEmpty());
  EXPECT_THAT(wait(1s), ElementsAre("finished 7.1 #1 stopped"));
  EXPECT_THAT(wait(2s), ElementsAre("goodbye", "exit 0: its walltime of 100 s is nearly over"));
}

TEST_F(WorkerWatchTest, TakesNoJobThatCouldNotBeginBeforeItLeaves) {
  options_.walltime = 1000s;
  options_.leave_before = 60s;
  join();
  receive(assignment(7, 1));
  wait(100s);
  entered(7, TrainingPhase::kTraining);
  wait(50s);
  receive(assignment(8, 1));
  finished(7, 1);
  acknowledge(7, 1, 1);
  entered(8, TrainingPhase::kTraining);
  drop();
  for (int i = 0; i < 13; ++i) {
    wait(53s);
    entered(8, TrainingPhase::kTraining, i + 1);
  }
  drop();
  EXPECT_THAT(wait(1s), IsEmpty()) << "840 s are over, 100 are left";
  receive(assignment(9, 1));
  EXPECT_THAT(take(), ElementsAre("refused 9.1 this worker leaves in 100 s, a job needed 100 s to "
                                  "begin here"));
}

}  // namespace
}  // namespace lrtune::testing

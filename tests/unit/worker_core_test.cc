// The worker's state machine, rule by rule, in virtual time.
#include "worker/core/worker_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/support/wire_samples.h"

namespace lrtune {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kIncarnation = "first";

MetricPoint point_at(std::int64_t iteration) {
  MetricPoint point;
  point.iteration = iteration;
  return point;
}

wire::Assign assignment(std::int64_t job, Attempt attempt) {
  wire::Assign assign = wire::testing::sample_assign();
  assign.job.value = job;
  assign.attempt = attempt;
  return assign;
}

class WorkerCoreTest : public ::testing::Test {
 protected:
  void make(int slots = 1) {
    WorkerOptions options;
    options.name = "w";
    options.process = "p";
    options.slots = slots;
    options.numerics = assignment(1, 1).identity.numerics;
    options.give_up_after = give_up_after_;
    core_.emplace(options, now_);
  }

  void join(int slots = 1) {
    make(slots);
    tick();
    receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
    drop();
  }

  void step(const WorkerEvent& event) {
    for (WorkerAction& action : core_->step(event, now_)) actions_.push_back(std::move(action));
    core_->check_invariants();
  }
  void receive(wire::ToWorker message) { step(worker_event::Received{std::move(message)}); }
  void tick() { step(worker_event::Ticked{}); }
  void pass(std::chrono::milliseconds time) {
    now_ += time;
    tick();
  }
  void started(std::int64_t job, Attempt attempt) {
    step(worker_event::JobStarted{JobId{job}, attempt});
  }
  void measured(std::int64_t job, Attempt attempt, std::int64_t iteration) {
    step(worker_event::JobMeasured{JobId{job}, attempt, point_at(iteration)});
  }
  void finished(std::int64_t job, Attempt attempt, OutcomeKind kind = OutcomeKind::kCompleted) {
    step(worker_event::JobFinished{JobId{job}, attempt, Outcome{kind, 10, {}, ""}});
  }
  void acknowledge(std::int64_t job, Attempt attempt, std::int64_t sequence) {
    receive(wire::Acknowledge{JobId{job}, attempt, sequence});
  }

  // The actions so far in short words, and then none.
  std::vector<std::string> take() {
    std::vector<std::string> words;
    for (const WorkerAction& action : std::exchange(actions_, {}))
      words.push_back(words_of(action));
    return words;
  }
  void drop() { actions_.clear(); }

  static std::string attempt_words(JobId job, Attempt attempt) {
    return " " + std::to_string(job.value) + "." + std::to_string(attempt);
  }

  static std::string words_of(const wire::ToCoordinator& message) {
    using namespace wire;
    if (const auto* m = std::get_if<Hello>(&message)) {
      std::string words = "hello";
      for (const HeldAttempt& held : m->held) words += attempt_words(held.job, held.attempt);
      return words;
    }
    if (std::holds_alternative<Heartbeat>(message)) return "heartbeat";
    if (std::holds_alternative<Goodbye>(message)) return "goodbye";
    if (const auto* m = std::get_if<Surveyed>(&message)) return "surveyed " + m->error;
    if (const auto* m = std::get_if<Started>(&message))
      return "started" + attempt_words(m->job, m->attempt);
    if (const auto* m = std::get_if<Progress>(&message)) {
      return "progress" + attempt_words(m->job, m->attempt) + " at " + std::to_string(m->iteration);
    }
    if (const auto* m = std::get_if<Measured>(&message)) {
      return "measured" + attempt_words(m->job, m->attempt) + " #" + std::to_string(m->sequence);
    }
    if (const auto* m = std::get_if<Finished>(&message)) {
      return "finished" + attempt_words(m->job, m->attempt) + " #" + std::to_string(m->sequence) +
             " " + std::string(name_of(m->outcome.kind));
    }
    const auto& refused = std::get<Refused>(message);
    return "refused" + attempt_words(refused.job, refused.attempt) + " " + refused.reason;
  }

  static std::string words_of(const WorkerAction& action) {
    using namespace worker_action;
    if (const auto* a = std::get_if<Send>(&action)) return words_of(a->message);
    if (const auto* a = std::get_if<StartSurvey>(&action))
      return "survey " + std::to_string(a->survey);
    if (const auto* a = std::get_if<StartJob>(&action)) {
      return "start" + attempt_words(a->assignment.job, a->assignment.attempt) + " in " +
             std::to_string(a->slot);
    }
    if (const auto* a = std::get_if<StopJob>(&action))
      return "stop" + attempt_words(a->job, a->attempt);
    const auto& exit = std::get<Exit>(action);
    return "exit " + std::to_string(exit.code) + ": " + exit.reason;
  }

  WorkerTime now_{};
  std::optional<std::chrono::milliseconds> give_up_after_;
  std::optional<WorkerCore> core_;
  std::vector<WorkerAction> actions_;
};

TEST_F(WorkerCoreTest, SaysHelloUntilItIsWelcome) {
  make();
  tick();
  EXPECT_THAT(take(), ElementsAre("hello"));
  pass(999ms);
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(core_->next_deadline(), now_ + 1ms);
  pass(1ms);
  EXPECT_THAT(take(), ElementsAre("hello"));
  receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
  pass(999ms);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(WorkerCoreTest, HelloSaysWhoItIs) {
  make(3);
  tick();
  ASSERT_EQ(actions_.size(), 1U);
  const auto hello = std::get<wire::Hello>(std::get<worker_action::Send>(actions_[0]).message);
  const wire::Hello expected{"w", "p", 3, assignment(1, 1).identity.numerics, {}};
  EXPECT_EQ(hello, expected);
}

TEST_F(WorkerCoreTest, TriesForEverUnlessToldOtherwise) {
  make();
  for (int hours = 0; hours < 100; ++hours) pass(1h);
  EXPECT_THAT(take(), ::testing::Each("hello"));
}

TEST_F(WorkerCoreTest, GivesUpWhenToldTo) {
  give_up_after_ = 5s;
  make();
  tick();
  drop();
  pass(4999ms);
  EXPECT_THAT(take(), ElementsAre("hello"));
  EXPECT_EQ(core_->next_deadline(), now_ + 1ms);
  pass(1ms);
  EXPECT_THAT(take(), ElementsAre("exit 1: no coordinator answered for 5000 ms"));
  pass(1h);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(WorkerCoreTest, AWelcomedWorkerDoesNotGiveUp) {
  give_up_after_ = 5s;
  join();
  for (int minutes = 0; minutes < 10; ++minutes) pass(1min);
  EXPECT_THAT(take(), ::testing::Not(::testing::Contains(HasSubstr("exit"))));
}

TEST_F(WorkerCoreTest, BeatsAsOftenAsTheWelcomeSays) {
  join();
  EXPECT_EQ(core_->next_deadline(), now_ + 1000ms);
  pass(1000ms);
  pass(500ms);
  pass(500ms);
  EXPECT_THAT(take(), ElementsAre("heartbeat", "heartbeat"));
}

TEST_F(WorkerCoreTest, SaysHelloAgainAfterALeaseOfSilenceAndKeepsTraining) {
  join();
  receive(assignment(7, 1));
  measured(7, 1, 0);
  drop();
  for (int second = 0; second < 9; ++second) pass(1s);
  receive(wire::Heartbeat{});
  for (int second = 0; second < 9; ++second) pass(1s);
  EXPECT_THAT(take(), ::testing::Not(::testing::Contains("hello 7.1")));
  pass(1s);
  EXPECT_THAT(take(), ElementsAre("hello 7.1"));
  pass(1s);
  EXPECT_THAT(take(), ElementsAre("hello 7.1"));
  receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("measured 7.1 #1"));
}

TEST_F(WorkerCoreTest, ReportsMadeWhileNobodyListensAreSentOnTheWelcome) {
  join();
  receive(assignment(7, 1));
  drop();
  step(worker_event::Connected{});
  EXPECT_THAT(take(), ElementsAre("hello 7.1"));
  started(7, 1);
  measured(7, 1, 0);
  finished(7, 1);
  EXPECT_THAT(take(), IsEmpty());
  receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("measured 7.1 #1", "finished 7.1 #2 completed"));
}

TEST_F(WorkerCoreTest, ARunningJobIsSaidAgainOnTheWelcome) {
  join();
  receive(assignment(7, 1));
  started(7, 1);
  EXPECT_THAT(take(), ElementsAre("start 7.1 in 0", "started 7.1"));
  step(worker_event::Connected{});
  receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("hello 7.1", "started 7.1"));
}

TEST_F(WorkerCoreTest, ANewIncarnationGetsAllReportsAgain) {
  join();
  receive(assignment(7, 1));
  measured(7, 1, 0);
  measured(7, 1, 5);
  drop();
  receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
  EXPECT_THAT(take(), IsEmpty()) << "the answer to a second HELLO changes nothing";
  receive(wire::Welcome{"second", 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("measured 7.1 #1", "measured 7.1 #2"));
}

TEST_F(WorkerCoreTest, AnIntroduceIsAnsweredOnceWithAHello) {
  join();
  receive(wire::Introduce{});
  receive(wire::Introduce{});
  EXPECT_THAT(take(), ElementsAre("hello"));
}

TEST_F(WorkerCoreTest, ReportsAreNumberedAndSentAgainUntilAcknowledged) {
  join();
  receive(assignment(7, 1));
  measured(7, 1, 0);
  measured(7, 1, 5);
  finished(7, 1);
  drop();
  acknowledge(7, 1, 1);
  pass(2900ms);
  EXPECT_THAT(take(), ElementsAre("heartbeat"));
  pass(100ms);
  EXPECT_THAT(take(), ElementsAre("measured 7.1 #2", "finished 7.1 #3 completed"));
  acknowledge(7, 1, 3);
  pass(5s);
  EXPECT_THAT(take(), ElementsAre("heartbeat"));
  receive(wire::Introduce{});
  EXPECT_THAT(take(), ElementsAre("hello")) << "an acknowledged attempt is forgotten";
}

TEST_F(WorkerCoreTest, OddAcknowledgementsAreHarmless) {
  join();
  receive(assignment(7, 1));
  acknowledge(7, 1, 100);
  measured(7, 1, 0);
  measured(7, 1, 5);
  acknowledge(7, 2, 1);
  acknowledge(8, 1, 1);
  acknowledge(7, 1, 2);
  acknowledge(7, 1, 1);
  drop();
  finished(7, 1);
  EXPECT_THAT(take(), ElementsAre("finished 7.1 #3 completed"));
  acknowledge(7, 1, std::numeric_limits<std::int64_t>::max() - 1);
  pass(5s);
  EXPECT_THAT(take(), ElementsAre("heartbeat"));
}

TEST_F(WorkerCoreTest, ADuplicateAssignmentIsIgnored) {
  join(2);
  receive(assignment(7, 1));
  receive(assignment(7, 1));
  EXPECT_THAT(take(), ElementsAre("start 7.1 in 0"));
  finished(7, 1);
  receive(assignment(7, 1));
  acknowledge(7, 1, 1);
  receive(assignment(7, 1));
  EXPECT_THAT(take(), ElementsAre("finished 7.1 #1 completed"));
}

TEST_F(WorkerCoreTest, AnOlderAttemptIsIgnored) {
  join(2);
  receive(assignment(7, 3));
  receive(assignment(7, 2));
  EXPECT_THAT(take(), ElementsAre("start 7.3 in 0"));
}

TEST_F(WorkerCoreTest, ANewerAttemptStopsTheOlderAndTakesItsSlot) {
  join(2);
  receive(assignment(7, 1));
  measured(7, 1, 0);
  drop();
  receive(assignment(7, 2));
  EXPECT_THAT(take(), ElementsAre("stop 7.1"));
  receive(wire::Introduce{});
  EXPECT_THAT(take(), ElementsAre("hello 7.2"));
  measured(7, 1, 5);
  finished(7, 1, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("start 7.2 in 0"));
}

TEST_F(WorkerCoreTest, TheNewestOfSeveralWaitingAttemptsRuns) {
  join();
  receive(assignment(7, 1));
  receive(assignment(7, 2));
  receive(assignment(7, 3));
  receive(assignment(7, 2));
  drop();
  finished(7, 1, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("start 7.3 in 0"));
}

TEST_F(WorkerCoreTest, ANewerAttemptReplacesReportsOfTheOlder) {
  join();
  receive(assignment(7, 1));
  finished(7, 1);
  receive(assignment(7, 2));
  drop();
  pass(3s);
  EXPECT_THAT(take(), ElementsAre("heartbeat"));
}

TEST_F(WorkerCoreTest, WithoutAFreeSlotItRefuses) {
  join(2);
  receive(assignment(1, 1));
  receive(assignment(2, 1));
  receive(assignment(3, 1));
  EXPECT_THAT(take(),
              ElementsAre("start 1.1 in 0", "start 2.1 in 1", "refused 3.1 no slot is free"));
  finished(1, 1);
  drop();
  receive(assignment(3, 1));
  EXPECT_THAT(take(), ElementsAre("start 3.1 in 0")) << "a refused attempt may come again";
}

TEST_F(WorkerCoreTest, RefusesNumericsThatItCannotGive) {
  join();
  const auto refuses = [&](auto change, const char* reason) {
    wire::Assign assign = assignment(7, 1);
    change(assign.identity.numerics);
    receive(assign);
    EXPECT_THAT(take(), ElementsAre(HasSubstr(reason)));
  };
  refuses([](Numerics& n) { n.backend = "libtorch 2.16.0"; },
          "back end is libtorch 2.15.0, the job needs libtorch 2.16.0");
  refuses([](Numerics& n) { n.device = "cuda"; }, "device is cpu, the job needs cuda");
  refuses([](Numerics& n) { n.instruction_set = "AVX2"; }, "instruction set is AVX512");
  refuses([](Numerics& n) { n.memory_format = "contiguous"; }, "memory format is channels_last");
  refuses([](Numerics& n) { n.threads = 3; }, "has 2 threads, the job needs 3");
  wire::Assign fewer = assignment(7, 1);
  fewer.identity.numerics.threads = 1;
  receive(fewer);
  EXPECT_THAT(take(), ElementsAre("start 7.1 in 0"));
}

TEST_F(WorkerCoreTest, ACancelledAttemptIsStoppedAndForgotten) {
  join();
  receive(assignment(7, 1));
  measured(7, 1, 0);
  drop();
  receive(wire::Cancel{JobId{7}, 1, "paused"});
  receive(wire::Cancel{JobId{7}, 1, "paused"});
  EXPECT_THAT(take(), ElementsAre("stop 7.1"));
  measured(7, 1, 5);
  step(worker_event::JobProgressed{JobId{7}, 1, 6});
  finished(7, 1, OutcomeKind::kStopped);
  receive(assignment(7, 1));
  pass(3s);
  EXPECT_THAT(take(), ElementsAre("heartbeat"));
}

TEST_F(WorkerCoreTest, ACancelledSlotIsUsedAgainWhenItsThreadHasEnded) {
  join();
  receive(assignment(7, 1));
  receive(wire::Cancel{JobId{7}, 1, "paused"});
  drop();
  receive(assignment(8, 1));
  receive(assignment(9, 1));
  EXPECT_THAT(take(), ElementsAre("refused 9.1 no slot is free"));
  finished(7, 1, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("start 8.1 in 0"));
}

TEST_F(WorkerCoreTest, AWaitingAssignmentCanBeCancelled) {
  join();
  receive(assignment(7, 1));
  receive(assignment(7, 2));
  receive(wire::Cancel{JobId{7}, 2, "paused"});
  drop();
  finished(7, 1, OutcomeKind::kStopped);
  receive(assignment(8, 1));
  EXPECT_THAT(take(), ElementsAre("start 8.1 in 0"));
}

TEST_F(WorkerCoreTest, ACancelDropsReportsOfAnAttemptThatHasEnded) {
  join();
  receive(assignment(7, 1));
  finished(7, 1);
  drop();
  receive(wire::Cancel{JobId{7}, 1, "given up"});
  pass(3s);
  EXPECT_THAT(take(), ElementsAre("heartbeat"));
}

TEST_F(WorkerCoreTest, ProgressIsThrottledAndNeverGoesBack) {
  join();
  receive(assignment(7, 1));
  drop();
  const auto progress = [&](std::int64_t iteration) {
    step(worker_event::JobProgressed{JobId{7}, 1, iteration});
  };
  progress(1);
  now_ += 500ms;
  progress(2);
  progress(3);
  now_ += 400ms;
  progress(4);
  now_ += 100ms;
  progress(2);
  progress(5);
  EXPECT_THAT(take(), ElementsAre("progress 7.1 at 2", "heartbeat", "progress 7.1 at 5"));
}

TEST_F(WorkerCoreTest, SurveysAreDoneOnceAndAnswered) {
  join();
  const TrainSpec train = assignment(1, 1).identity.train;
  receive(wire::Survey{4, train});
  receive(wire::Survey{4, train});
  receive(wire::Survey{5, train});
  EXPECT_THAT(take(), ElementsAre("survey 4", "survey 5"));
  step(worker_event::SurveyDone{4, fail("no such folder")});
  step(worker_event::SurveyDone{5, DataFacts{{}, 60'000, 0, 10'000, 10}});
  EXPECT_THAT(take(), ElementsAre("surveyed no such folder", "surveyed "));
  receive(wire::Survey{4, train});
  EXPECT_THAT(take(), ElementsAre("survey 4")) << "asked again, answered again";
}

TEST_F(WorkerCoreTest, AnIdleWorkerLeavesAtOnce) {
  join();
  receive(wire::Shutdown{"all trials are done"});
  EXPECT_THAT(take(), ElementsAre("goodbye", "exit 0: all trials are done"));
  EXPECT_EQ(core_->next_deadline(), std::nullopt);
}

TEST_F(WorkerCoreTest, ALeavingWorkerHandsBackWhatItHolds) {
  join(2);
  receive(assignment(7, 1));
  receive(assignment(8, 1));
  drop();
  step(worker_event::StopRequested{"SIGTERM"});
  EXPECT_THAT(take(), ElementsAre("stop 7.1", "stop 8.1"));
  receive(assignment(9, 1));
  step(worker_event::StopRequested{"SIGTERM"});
  EXPECT_THAT(take(), ElementsAre("refused 9.1 this worker is leaving"));
  finished(7, 1, OutcomeKind::kStopped);
  finished(8, 1);
  EXPECT_THAT(take(), ElementsAre("finished 7.1 #1 stopped", "finished 8.1 #1 completed"));
  acknowledge(7, 1, 1);
  EXPECT_THAT(take(), IsEmpty());
  acknowledge(8, 1, 1);
  EXPECT_THAT(take(), ElementsAre("goodbye", "exit 0: SIGTERM"));
}

TEST_F(WorkerCoreTest, ALeavingWorkerWaitsForAcknowledgementsOnlySoLong) {
  join();
  receive(assignment(7, 1));
  receive(wire::Shutdown{"stop"});
  pass(1h);
  finished(7, 1, OutcomeKind::kStopped);
  drop();
  EXPECT_LE(core_->next_deadline(), now_ + 2s);
  pass(1999ms);
  EXPECT_THAT(take(), ::testing::Not(::testing::Contains("goodbye")));
  pass(1ms);
  EXPECT_THAT(take(), ElementsAre("goodbye", "exit 0: stop"));
}

TEST_F(WorkerCoreTest, LeavingRefusesAWaitingAssignment) {
  join();
  receive(assignment(7, 1));
  receive(assignment(7, 2));
  drop();
  receive(wire::Shutdown{"stop"});
  EXPECT_THAT(take(), ElementsAre("refused 7.2 this worker is leaving"));
  finished(7, 1, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("goodbye", "exit 0: stop"));
}

TEST_F(WorkerCoreTest, AWorkerThatNeverJoinedLeavesWithoutAWord) {
  make();
  tick();
  drop();
  step(worker_event::StopRequested{"SIGINT"});
  EXPECT_THAT(take(), ElementsAre("exit 0: SIGINT"));
}

TEST_F(WorkerCoreTest, ARejectedWorkerStopsAndExits) {
  join();
  receive(assignment(7, 1));
  drop();
  receive(wire::Rejected{"protocol version 1 is not spoken here"});
  EXPECT_THAT(take(), ElementsAre("stop 7.1",
                                  "exit 1: the coordinator does not accept this worker: "
                                  "protocol version 1 is not spoken here"));
}

}  // namespace
}  // namespace lrtune

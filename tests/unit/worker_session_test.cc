// The worker's state machine: joining, signs of life, surveys, leaving.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/worker_core_fixture.h"

namespace lrtune::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  options_.give_up_after = 5s;
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
  options_.give_up_after = 5s;
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
  receive(wire::Welcome{"store-second", 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("measured 7.1 #1", "measured 7.1 #2"));
}

// One that is older than histories.
TEST_F(WorkerCoreTest, ACoordinatorThatNamesNoHistoryIsTakenForTheSame) {
  join();
  receive(assignment(7, 1));
  measured(7, 1, 0);
  drop();
  receive(wire::Welcome{"second", 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("measured 7.1 #1"));
  receive(wire::Welcome{"store-third", 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("measured 7.1 #1"));
}

TEST_F(WorkerCoreTest, AnIntroduceIsAnsweredOnceWithAHello) {
  join();
  receive(wire::Introduce{});
  receive(wire::Introduce{});
  EXPECT_THAT(take(), ElementsAre("hello"));
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

TEST_F(WorkerCoreTest, ABrokenDeviceTakesNoJobMoreAndTheExitCodeSaysSo) {
  join(2);
  receive(assignment(7, 1));
  receive(assignment(8, 1));
  drop();
  step(worker_event::DeviceBroken{"illegal address"});
  EXPECT_THAT(take(), ElementsAre("stop 7.1", "stop 8.1"));
  finished(7, 1, OutcomeKind::kFailedHere);
  EXPECT_THAT(take(), ElementsAre("finished 7.1 #1 failed_here"));
  receive(assignment(9, 1));
  EXPECT_THAT(take(), ElementsAre("refused 9.1 this worker is leaving"));
  finished(8, 1, OutcomeKind::kFailedHere);
  drop();
  acknowledge(7, 1, 1);
  acknowledge(8, 1, 1);
  EXPECT_THAT(take(), ElementsAre("goodbye", "exit 3: illegal address"));
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

TEST_F(WorkerCoreTest, LeavingHandsBackWhatWaits) {
  join();
  receive(assignment(7, 1));
  receive(assignment(8, 1));
  receive(assignment(7, 2));
  drop();
  receive(wire::Shutdown{"stop"});
  EXPECT_THAT(take(), ElementsAre("refused 7.2 this worker is leaving",
                                  "refused 8.1 this worker is leaving"));
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

// It exited while its threads trained, and never if one of them hung: their end was waited for.
TEST_F(WorkerCoreTest, ARejectedWorkerStopsItsThreadsAndExits) {
  join();
  receive(assignment(7, 1));
  drop();
  receive(wire::Rejected{"worker w1 is banned"});
  EXPECT_THAT(take(), ElementsAre("stop 7.1"));
  finished(7, 1, OutcomeKind::kStopped);  // nobody wants to hear of it
  EXPECT_THAT(take(), ElementsAre("goodbye",
                                  "exit 1: the coordinator does not accept this worker: "
                                  "worker w1 is banned"));
}

}  // namespace
}  // namespace lrtune::testing

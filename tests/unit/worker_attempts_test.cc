// The worker's state machine: assignments, slots, numbered reports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/worker_core_fixture.h"

namespace lrtune::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

// Regression: it was ignored once it was over, and a coordinator whose store was set back waited
// for it for ever.
TEST_F(WorkerCoreTest, ADuplicateAssignmentStartsNothing) {
  join(2);
  receive(assignment(7, 1));
  receive(assignment(7, 1));
  EXPECT_THAT(take(), ElementsAre("start 7.1 in 0"));
  finished(7, 1);
  receive(assignment(7, 1));
  EXPECT_THAT(take(), ElementsAre("finished 7.1 #1 completed"));
  acknowledge(7, 1, 1);
  receive(assignment(7, 1));
  EXPECT_THAT(take(), ElementsAre("refused 7.1 an attempt of that number is over here"));
}

// Regression: a coordinator whose store was restored, or is another one, gave out numbers that this
// worker remembered as over: it ignored them for ever, without a word.
TEST_F(WorkerCoreTest, AnotherStoreMayGiveTheSameNumbersAgain) {
  join();
  receive(assignment(7, 1));
  finished(7, 1);
  acknowledge(7, 1, 1);
  receive(wire::Introduce{});
  receive(wire::Welcome{"another store-1", 1000, 10'000, 500});
  drop();
  receive(assignment(7, 1));
  EXPECT_THAT(take(), ElementsAre("start 7.1 in 0"));
  finished(7, 1);
  acknowledge(7, 1, 1);
  drop();
  receive(assignment(7, 1));
  EXPECT_THAT(take(), ElementsAre(HasSubstr("refused 7.1"))) << "a late copy";
}

TEST_F(WorkerCoreTest, ARestartedCoordinatorsLateCopyOfAnAssignmentStartsNothing) {
  join();
  receive(wire::Introduce{});
  receive(wire::Welcome{"store-1", 1000, 10'000, 500});
  receive(assignment(7, 1));
  finished(7, 1);
  acknowledge(7, 1, 1);
  receive(wire::Introduce{});
  receive(wire::Welcome{"store-2", 1000, 10'000, 500});
  drop();
  receive(assignment(7, 1));
  EXPECT_THAT(take(), ElementsAre(HasSubstr("refused 7.1"))) << "the same store";
}

TEST_F(WorkerCoreTest, WhatAnotherStoreDoesNotKnowMakesRoomForItsOwn) {
  join();
  receive(assignment(7, 1));
  receive(assignment(8, 1));
  measured(7, 1, 0);
  receive(wire::Introduce{});
  drop();
  receive(wire::Welcome{"another store-1", 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("stop 7.1", "hello")) << "nothing of it is reported";
  receive(wire::Cancel{JobId{7}, 1, "this attempt was given up"});
  receive(wire::Cancel{JobId{7}, 1, "this attempt was given up"});
  receive(assignment(7, 1));
  EXPECT_THAT(take(), IsEmpty()) << "it waits for the thread of that number";
  receive(wire::Introduce{});
  EXPECT_THAT(take(), ElementsAre("hello 7.1"));
  finished(7, 1, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("start 7.1 in 0"));
}

TEST_F(WorkerCoreTest, AnotherStoreMayBeginAtALowerAttempt) {
  join();
  receive(assignment(7, 3));
  receive(wire::Introduce{});
  receive(wire::Welcome{"another store-1", 1000, 10'000, 500});
  drop();
  receive(assignment(7, 1));
  EXPECT_THAT(take(), IsEmpty()) << "it waits for the thread";
  finished(7, 3, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("start 7.1 in 0"));
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

TEST_F(WorkerCoreTest, WhatIsSentAheadWaitsForASlotInItsOrder) {
  join(2);
  for (const std::int64_t job : {1, 2, 3, 5, 4}) receive(assignment(job, 1));
  EXPECT_THAT(take(), ElementsAre("start 1.1 in 0", "start 2.1 in 1"));
  receive(wire::Introduce{});
  EXPECT_THAT(take(), ElementsAre("hello 1.1 2.1 3.1 4.1 5.1"));
  receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
  finished(2, 1);
  EXPECT_THAT(take(), ElementsAre("finished 2.1 #1 completed", "start 3.1 in 1"))
      << "no slot waits for a round trip";
  started(3, 1);
  EXPECT_THAT(take(), ElementsAre("started 3.1"));
  finished(1, 1);
  finished(3, 1);
  EXPECT_THAT(take(), ElementsAre("finished 1.1 #1 completed", "start 5.1 in 0",
                                  "finished 3.1 #1 completed", "start 4.1 in 1"));
}

TEST_F(WorkerCoreTest, AWaitingAttemptIsNotHeardOfBeforeItStarts) {
  join();
  receive(assignment(1, 1));
  receive(assignment(2, 1));
  started(1, 1);
  drop();
  step(worker_event::Connected{});
  receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
  EXPECT_THAT(take(), ElementsAre("hello 1.1 2.1", "started 1.1"));
}

TEST_F(WorkerCoreTest, ANewerAttemptHasThePlaceOfTheOneThatWaited) {
  join();
  for (const std::int64_t job : {1, 2, 3}) receive(assignment(job, 1));
  receive(assignment(2, 2));
  receive(assignment(2, 1));
  drop();
  receive(wire::Introduce{});
  EXPECT_THAT(take(), ElementsAre("hello 1.1 2.2 3.1"));
  receive(wire::Welcome{kIncarnation, 1000, 10'000, 500});
  finished(1, 1);
  EXPECT_THAT(take(), ElementsAre("finished 1.1 #1 completed", "start 2.2 in 0"));
}

TEST_F(WorkerCoreTest, ANewerAttemptOfAJobThatTrainsGoesBeforeWhatWaits) {
  join();
  for (const std::int64_t job : {1, 2}) receive(assignment(job, 1));
  receive(assignment(1, 2));
  drop();
  finished(1, 1, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("start 1.2 in 0"));
}

TEST_F(WorkerCoreTest, AnAttemptThatWaitsForItsJobsThreadHoldsUpNobody) {
  join(2);
  receive(assignment(1, 1));
  receive(assignment(1, 2));
  EXPECT_THAT(take(), ElementsAre("start 1.1 in 0", "stop 1.1"));
  receive(assignment(2, 1));
  EXPECT_THAT(take(), ElementsAre("start 2.1 in 1"));
}

TEST_F(WorkerCoreTest, MoreThanItsWindowIsRefused) {
  options_.most_waiting = 2;
  join();
  for (const std::int64_t job : {1, 2, 3, 4}) receive(assignment(job, 1));
  EXPECT_THAT(take(), ElementsAre("start 1.1 in 0", "refused 4.1 2 assignments wait here already"));
  receive(assignment(3, 2));
  EXPECT_THAT(take(), IsEmpty()) << "a newer attempt needs no further place";
  finished(1, 1);
  drop();
  receive(assignment(4, 1));
  finished(2, 1);
  finished(3, 2);
  EXPECT_THAT(take(), ElementsAre("finished 2.1 #1 completed", "start 3.2 in 0",
                                  "finished 3.2 #1 completed", "start 4.1 in 0"))
      << "a refused attempt may come again";
}

TEST_F(WorkerCoreTest, ByDefaultAThousandAssignmentsWait) {
  join();
  for (std::int64_t job = 1; job <= 1025; ++job)  // without the checks of receive(), for the time
    core_->step(worker_event::Received{assignment(job, 1)}, now_);
  receive(assignment(1026, 1));
  EXPECT_THAT(take(), ElementsAre("refused 1026.1 1024 assignments wait here already"));
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
  refuses([](Numerics& n) { ++n.revision; }, "training code is of revision");
  refuses([](Numerics& n) { n.threads = 3; }, "has 2 threads, the job needs 3");
  wire::Assign fewer = assignment(7, 1);
  fewer.identity.numerics.threads = 1;
  receive(fewer);
  EXPECT_THAT(take(), ElementsAre("start 7.1 in 0"));
}

TEST_F(WorkerCoreTest, AnInexactJobTakesOtherNumericsOfItsKind) {
  join();
  wire::Assign assign = assignment(7, 1);
  assign.identity.train.inexact = true;
  assign.identity.numerics.device = "cuda";
  receive(assign);
  EXPECT_THAT(take(), ElementsAre(HasSubstr("device is cpu, the job needs cuda")));
  assign.identity.numerics = {"libtorch 2.16.0", "cpu", "AVX2", 3, "contiguous"};
  receive(assign);
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
  EXPECT_THAT(take(), ElementsAre(HasSubstr("refused 7.1"), "heartbeat"));
}

TEST_F(WorkerCoreTest, ACancelledSlotIsUsedAgainWhenItsThreadHasEnded) {
  join();
  receive(assignment(7, 1));
  receive(wire::Cancel{JobId{7}, 1, "paused"});
  drop();
  receive(assignment(8, 1));
  EXPECT_THAT(take(), IsEmpty());
  finished(7, 1, OutcomeKind::kStopped);
  EXPECT_THAT(take(), ElementsAre("start 8.1 in 0"));
}

TEST_F(WorkerCoreTest, AWaitingAssignmentCanBeCancelled) {
  join();
  receive(assignment(7, 1));
  receive(assignment(7, 2));
  receive(assignment(8, 1));
  receive(assignment(9, 1));
  drop();
  receive(wire::Cancel{JobId{7}, 2, "paused"});
  receive(wire::Cancel{JobId{8}, 1, "paused"});
  receive(wire::Cancel{JobId{9}, 2, "of an attempt that is not here"});
  finished(7, 1, OutcomeKind::kStopped);
  receive(assignment(8, 1));
  EXPECT_THAT(take(), ElementsAre("start 9.1 in 0", HasSubstr("refused 8.1")))
      << "a cancelled attempt never starts";
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

}  // namespace
}  // namespace lrtune::testing

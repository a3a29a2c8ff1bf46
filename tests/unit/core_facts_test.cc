// What the core tells the log and the metrics: the facts of a step, counts, what belongs together.
#include <gtest/gtest.h>

#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

class CoreFactsTest : public testing::Test {
 protected:
  void begin() {
    harness_.step(event::Submitted{two_policies()});
    harness_.hello("a");
    harness_.answer_survey("a");
  }
  WorkCounts counts() { return harness_.core().snapshot().counts; }
  wire::Assign job() const { return harness_.assignment("a").value(); }
  StepFacts facts_of(wire::ToCoordinator message) {
    return harness_.step(event::Received{"a", std::move(message)}).facts;
  }
  CoreHarness harness_;
};

TEST_F(CoreFactsTest, CountsFollowTheWork) {
  begin();
  EXPECT_EQ(counts().queued_jobs, 1);
  EXPECT_EQ(counts().trials[TrialState::kRunning], 1);
  EXPECT_EQ(counts().trials[TrialState::kWaiting], 1);
  EXPECT_EQ(counts().campaigns[CampaignState::kSearching], 1);
  harness_.run("a", job(), 0.5);
  EXPECT_EQ(counts().queued_jobs, 0);
  EXPECT_EQ(counts().trials[TrialState::kRunning], 1);
  EXPECT_EQ(counts().trials[TrialState::kDone], 1);
  harness_.run("a", job(), 0.1, OutcomeKind::kDiverged);
  EXPECT_EQ(counts().trials[TrialState::kWaiting], 0);
  EXPECT_EQ(counts().trials[TrialState::kRunning], 0);
  EXPECT_EQ(counts().trials[TrialState::kDiverged], 1);
  EXPECT_EQ(counts().campaigns[CampaignState::kSearching], 0);
  EXPECT_EQ(counts().campaigns[CampaignState::kDone], 1);
}

TEST_F(CoreFactsTest, CountsAreThereAfterARestartAsWell) {
  begin();
  harness_.run("a", job(), 0.5);
  harness_.restart();
  EXPECT_EQ(counts().trials[TrialState::kDone], 1);
  EXPECT_EQ(counts().trials[TrialState::kRunning] + counts().trials[TrialState::kWaiting], 1);
}

TEST_F(CoreFactsTest, TellsWhichWorkersAreGoneAndHow) {
  begin();
  const StepFacts lost = harness_.step(event::PeerLost{"a", "its connection is gone"}).facts;
  ASSERT_EQ(lost.departed.size(), 1U);
  EXPECT_EQ(lost.departed[0].worker, "a");
  EXPECT_EQ(lost.departed[0].reason, "its connection is gone");
  EXPECT_FALSE(lost.departed[0].in_order);
  harness_.hello("a");
  const StepFacts left = facts_of(wire::Goodbye{});
  ASSERT_EQ(left.departed.size(), 1U);
  EXPECT_TRUE(left.departed[0].in_order);
}

TEST_F(CoreFactsTest, CountsWhatIsRepeated) {
  begin();
  const wire::Assign first = job();
  EXPECT_EQ(facts_of(harness_.measured(first, 1, 0, 0.1)).reports_repeated, 0);
  EXPECT_EQ(facts_of(harness_.measured(first, 1, 0, 0.1)).reports_repeated, 1);
  wire::Measured stale = harness_.measured(first, 2, 50, 0.1);
  stale.attempt = 99;
  EXPECT_EQ(facts_of(stale).reports_stale, 1);
  harness_.run("a", first, 0.5);
  EXPECT_EQ(facts_of(harness_.finished(first, 3, OutcomeKind::kCompleted)).reports_repeated, 1);
}

TEST_F(CoreFactsTest, CountsAssignmentsThatAreSentAgain) {
  begin();
  const wire::Hello again{"a", "a-process", 1, CoreHarness::numerics(), {}};
  EXPECT_EQ(facts_of(again).assignments_repeated, 1);  // it was lost with a connection
  for (int second = 0; second < 9; ++second) {
    harness_.advance(1000);
    EXPECT_EQ(harness_.last().facts.assignments_repeated, 0) << second;
    harness_.say("a", wire::Heartbeat{});
  }
  harness_.advance(1000);
  EXPECT_EQ(harness_.last().facts.assignments_repeated, 1);  // no STARTED within a lease
}

TEST_F(CoreFactsTest, KnowsWhatBelongsTogether) {
  begin();
  const WorkIds of_job = harness_.core().work_of(job().job);
  EXPECT_EQ(of_job.campaign.value, 1);
  EXPECT_EQ(of_job.job, job().job);
  EXPECT_EQ(of_job.attempt, 1);
  const WorkIds of_trial = harness_.core().work_of(of_job.trial);
  EXPECT_EQ(of_trial.job, job().job);
  EXPECT_FALSE(harness_.core().work_of(TrialId{}).job);
  EXPECT_FALSE(harness_.core().work_of(JobId{99}).trial);
}

}  // namespace
}  // namespace lrtune

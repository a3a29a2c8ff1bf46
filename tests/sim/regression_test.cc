// What the simulated cluster once found, each as the shortest story that shows it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

using testing::SizeIs;

std::int64_t count_code(const CoreHarness& harness, const std::string& code) {
  const auto decisions = harness.kept().of<DecisionRecord>();
  return std::count_if(decisions.begin(), decisions.end(),
                       [&](const DecisionRecord& decision) { return decision.code == code; });
}

// Bug: each of the trials that shared the last job ended the campaign.
TEST(CoreRegression, TrialsThatShareTheLastJobEndTheCampaignOnce) {
  CoreHarness harness;
  harness.step(
      event::Submitted{experiment_of("search:\n"
                                     "  method: list\n"
                                     "  policies:\n"
                                     "    - {function: fix, k0: 0.1}\n"
                                     "    - {function: exp, k0: 0.1, gamma: 1}\n")});
  harness.hello("a");
  harness.answer_survey("a");
  harness.run("a", harness.assignment("a").value(), 0.9);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_EQ(harness.campaign().trials, 2);
  EXPECT_EQ(count_code(harness, "done"), 1);
}

// A worker with one slot whose coordinator was restarted while an assignment was on its way: it
// says HELLO, gets new work, and only then brings the job of the old assignment.
class LateOrphan : public testing::Test {
 protected:
  LateOrphan() {
    harness.step(event::Submitted{two_policies()});
    harness.hello("a");
    harness.answer_survey("a");
    old_job = harness.assignment("a").value();
    harness.restart();
    harness.hello("a");
    new_job = harness.assignment("a").value();
  }
  CoreHarness harness;
  wire::Assign old_job;
  wire::Assign new_job;
};

// Bug: the worker then had two jobs in its one slot.
TEST_F(LateOrphan, TakesThePlaceOfWhatHasNotStarted) {
  ASSERT_NE(old_job.job, new_job.job);
  harness.hello("a", {{old_job.job, old_job.attempt}});
  EXPECT_THAT(harness.sent<wire::Cancel>("a"), SizeIs(1));
  EXPECT_EQ(harness.sent<wire::Cancel>("a").at(0).job, new_job.job);
  ASSERT_THAT(harness.campaign().running, SizeIs(1));
  harness.run("a", old_job, 0.9);
  const wire::Assign again = harness.assignment("a").value();
  EXPECT_EQ(again.job, new_job.job);
  EXPECT_EQ(again.attempt, new_job.attempt + 1);
  harness.run("a", again, 0.8);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
}

TEST_F(LateOrphan, GoesBackToTheQueueIfTheSlotIsBusy) {
  harness.say("a", wire::Started{new_job.job, new_job.attempt});
  harness.hello("a", {{old_job.job, old_job.attempt}, {new_job.job, new_job.attempt}});
  EXPECT_EQ(harness.sent<wire::Cancel>("a").at(0).job, old_job.job);
  harness.run("a", new_job, 0.8);
  const wire::Assign again = harness.assignment("a").value();
  EXPECT_EQ(again.job, old_job.job);
  EXPECT_EQ(again.attempt, old_job.attempt + 1);
}

// Bug: its reports were answered with CANCEL, and the job waited for a whole lease.
TEST_F(LateOrphan, IsTakenBackByAReportToo) {
  harness.say("a", wire::Refused{new_job.job, new_job.attempt, "no slot is free"});
  harness.say("a", harness.measured(old_job, 1, 0, 0.1));
  EXPECT_THAT(harness.sent<wire::Cancel>("a"), SizeIs(0));
  EXPECT_THAT(harness.sent<wire::Acknowledge>("a"), SizeIs(1));
  EXPECT_EQ(harness.campaign().running.at(0).worker, "a");
}

// Bug: a worker that had no slot just then never got a job of that identity again, and if it was
// the only one the campaign never ended.
// Bug: surveys counted from 1 after each start, so that facts could be those of another data set.
TEST(CoreRegression, ALateAnswerToAnEarlierCoordinatorsSurveyIsIgnored) {
  CoreHarness harness;
  harness.step(event::Submitted{two_policies()});
  harness.hello("a");
  const wire::Survey early = harness.sent<wire::Survey>("a").at(0);
  harness.advance(1'000);
  harness.restart();
  harness.hello("a");
  ASSERT_THAT(harness.sent<wire::Survey>("a"), SizeIs(1));
  harness.say("a", wire::Surveyed{early.survey, DataFacts{}, ""});
  EXPECT_EQ(harness.campaign().state, CampaignState::kSurveying);
  harness.answer_survey("a");
  EXPECT_EQ(harness.campaign().state, CampaignState::kSearching);
}

TEST(CoreRegression, ARefusalHoldsForALeaseThenForTwiceAsLong) {
  CoreHarness harness;
  harness.step(event::Submitted{two_policies()});
  harness.hello("a");
  harness.answer_survey("a");
  Attempt attempt = 1;
  for (const std::int64_t wait : {10'000, 20'000, 40'000}) {
    const wire::Assign job = harness.assignment("a").value();
    EXPECT_EQ(job.attempt, attempt);
    harness.say("a", wire::Refused{job.job, job.attempt, "no slot is free"});
    for (std::int64_t waited = 0; waited < wait; waited += 1'000) {
      EXPECT_EQ(harness.assignment("a").value().attempt, attempt) << waited << " of " << wait;
      harness.say("a", wire::Heartbeat{});
      harness.advance(1'000);
    }
    ++attempt;
    EXPECT_EQ(harness.assignment("a").value().attempt, attempt) << wait;
  }
}

}  // namespace
}  // namespace lrtune

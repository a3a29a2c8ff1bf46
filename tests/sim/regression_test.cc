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
// says HELLO without it, which gives it to the next one after a while, here itself, and only then
// the old assignment arrives.
class LateOrphan : public testing::Test {
 protected:
  LateOrphan() {
    harness.step(
        event::Submitted{experiment_of("search:\n"
                                       "  method: list\n"
                                       "  policies: [{function: fix, k0: 0.1}]\n")});
    harness.hello("a");
    harness.answer_survey("a");
    old_job = harness.assignment("a").value();
    harness.restart();
    harness.hello("a");
    harness.advance(3'000);
    new_job = harness.assignment("a").value();
  }
  CoreHarness harness;
  wire::Assign old_job;
  wire::Assign new_job;
};

// Bug: the worker then had two jobs in its one slot.
TEST_F(LateOrphan, IsCancelledForTheAttemptThatTookItsPlace) {
  ASSERT_EQ(old_job.job, new_job.job);
  ASSERT_EQ(new_job.attempt, old_job.attempt + 1);
  harness.hello("a", {{old_job.job, old_job.attempt}, {new_job.job, new_job.attempt}});
  harness.core().check_invariants();
  ASSERT_THAT(harness.sent<wire::Cancel>("a"), SizeIs(1));
  EXPECT_EQ(harness.sent<wire::Cancel>("a").at(0).attempt, old_job.attempt);
  ASSERT_THAT(harness.campaign().running, SizeIs(1));
  harness.run("a", new_job, 0.9);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
}

TEST_F(LateOrphan, ItsReportsChangeNothing) {
  harness.say("a", harness.measured(old_job, 1, 0, 0.1));
  harness.core().check_invariants();
  EXPECT_THAT(harness.sent<wire::Acknowledge>("a"), SizeIs(0));
  ASSERT_THAT(harness.sent<wire::Cancel>("a"), SizeIs(1));
  EXPECT_EQ(harness.sent<wire::Cancel>("a").at(0).attempt, old_job.attempt);
  harness.run("a", new_job, 0.9);
  EXPECT_EQ(harness.campaign().done, 1);
  EXPECT_EQ(harness.kept().of<PointRecord>().size(), 2U);
}

// Bug: a job that another connection turned out to hold was cancelled, and waited for a whole
// lease.
TEST(CoreRegression, AnOrphanIsTakenBackByAReportOfWhoeverHoldsIt) {
  CoreHarness harness;
  harness.step(event::Submitted{two_policies()});
  harness.hello("a");
  harness.answer_survey("a");
  const wire::Assign job = harness.assignment("a").value();
  harness.restart();
  // The same process on another connection.
  harness.say("b", wire::Hello{"a", "a-process", 1, CoreHarness::numerics(), {}});
  harness.say("b", wire::Refused{harness.assignment("b").value().job, 1, "no slot is free"});
  harness.say("b", harness.measured(job, 1, 0, 0.1));
  EXPECT_THAT(harness.sent<wire::Cancel>("b"), SizeIs(0));
  EXPECT_THAT(harness.sent<wire::Acknowledge>("b"), SizeIs(1));
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

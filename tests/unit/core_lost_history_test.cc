// A store that was set back, and workers that remember more than it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

using testing::ElementsAre;

class CoreLostHistoryTest : public testing::Test {
 protected:
  void begin(const Experiment& experiment) {
    harness.step(event::Submitted{experiment});
    harness.hello("a");
    harness.answer_survey("a");
  }
  wire::Assign job_of(const std::string& worker) { return harness.assignment(worker).value(); }

  CoreHarness harness;
};

// Regression: after a backup was restored, a worker that held the same numbers from before spoiled
// the trial of another one with its reports.
TEST_F(CoreLostHistoryTest, RestartedCoordinatorLeavesAJobToTheWorkerThatItWasGivenTo) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.restart();
  harness.hello("b", {{job.job, job.attempt}});
  EXPECT_EQ(harness.sent<wire::Cancel>("b").size(), 1u);
  harness.say("b", harness.measured(job, 1, 0, 0.9));
  EXPECT_EQ(harness.kept().of<PointRecord>().size(), 0u);
  harness.hello("a", {{job.job, job.attempt}});
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 0u);
  harness.say("a", harness.measured(job, 1, 0, 0.1));
  EXPECT_EQ(harness.kept().of<PointRecord>().size(), 1u);
}

// Regression: each of many jobs that were refused together doubled the time for which the worker
// got nothing: twenty were two months.
TEST_F(CoreLostHistoryTest, RefusalsThatComeTogetherCountOnce) {
  harness.step(event::Submitted{two_policies()});
  harness.hello("a", {}, 2);
  harness.answer_survey("a");
  const auto jobs = harness.assignments("a");
  ASSERT_EQ(jobs.size(), 2u);
  for (const wire::Assign& job : jobs)
    harness.say("a", wire::Refused{job.job, job.attempt, "no memory is left"});
  for (int second = 0; second < 11; ++second) {  // a lease and a bit
    harness.say("a", wire::Heartbeat{});
    harness.advance(1000);
  }
  EXPECT_EQ(harness.assignments("a").size(), 4u);
}

// What is over at the worker says nothing against it.
TEST_F(CoreLostHistoryTest, AnAttemptThatIsOverAtItsWorkerGetsAnotherNumberAtOnce) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Refused{job.job, job.attempt, std::string(wire::kAttemptIsOver)});
  EXPECT_EQ(harness.assignments("a").size(), 2u);
  EXPECT_EQ(job_of("a").attempt, job.job == job_of("a").job ? 2 : 1);
}

// Regression: a restored store had lost reports that the worker had forgotten, since they were
// acknowledged, and waited for them for ever.
TEST_F(CoreLostHistoryTest, AnAttemptWhoseReportsAreMissingGoesOnAsAnother) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Started{job.job, job.attempt});
  harness.say("a", harness.measured(job, 1, 0, 0.1));
  const auto says_the_third = [&] { harness.say("a", harness.measured(job, 3, 100, 0.5)); };
  for (int second = 0; second < 10; ++second) {
    says_the_third();
    EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 0u) << "it may only be late";
    harness.advance(1000);
  }
  says_the_third();
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 1u);
  EXPECT_THAT(harness.kept().codes(1), ElementsAre("assigned", "requeued", "assigned"));
  EXPECT_EQ(harness.kept().of<PointRecord>().size(), 1u);
}

}  // namespace
}  // namespace lrtune

// What the death of a worker means for what it did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/core/decisions.h"
#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class CoreDeathsTest : public testing::Test {
 protected:
  void begin(int slots = 1) {
    harness.step(event::Submitted{two_policies()});
    harness.hello("a", {}, slots);
    harness.answer_survey("a");
  }
  JobRecord job(std::int64_t id) const {
    JobRecord found;
    for (const JobRecord& record : harness.kept().of<JobRecord>()) {
      if (record.id.value == id) found = record;
    }
    return found;
  }
  void kill(const std::string& worker) { harness.step(event::PeerLost{worker, "it was killed"}); }

  CoreHarness harness;
};

// Bug: only running jobs counted a death, so that one which killed its worker before STARTED was
// assigned for ever.
TEST_F(CoreDeathsTest, AWorkerThatDiesBetweenAssignAndStartedCountsAsADeath) {
  begin();
  kill("a");
  EXPECT_EQ(job(1).deaths, 1);
  for (const std::string worker : {"b", "c"}) {
    harness.hello(worker);
    EXPECT_EQ(harness.assignment(worker).value().job.value, 1);
    kill(worker);
  }
  EXPECT_EQ(job(1).state, JobState::kFailed);
  EXPECT_THAT(job(1).outcome.value().message, HasSubstr("poisonous: 3 attempts"));
}

TEST_F(CoreDeathsTest, AnAssignmentThatDidNotArriveKilledNobody) {
  begin();
  harness.step(event::PeerLost{"a", "its connection is gone", true});
  EXPECT_EQ(job(1).deaths, 0);
  EXPECT_EQ(job(1).state, JobState::kPending);
}

// Bug: a survey that killed its worker was asked again for ever.
TEST_F(CoreDeathsTest, ASurveyThatKillsItsWorkersFailsTheCampaign) {
  harness.step(event::Submitted{two_policies()});
  for (const std::string worker : {"a", "b", "c"}) {
    EXPECT_EQ(harness.campaign().state, CampaignState::kSurveying);
    harness.hello(worker);
    ASSERT_THAT(harness.sent<wire::Survey>(worker), SizeIs(1));
    kill(worker);
  }
  EXPECT_EQ(harness.campaign().state, CampaignState::kFailed);
  EXPECT_EQ(harness.campaign().failure,
            "the survey of data set mnist on cpu with 1 thread ended with its worker's death 3 "
            "times; the last: worker c: it was killed");
}

TEST_F(CoreDeathsTest, AWorkerThatLeavesInOrderDuringASurveyCostsNothing) {
  harness.step(event::Submitted{two_policies()});
  for (const std::string worker : {"a", "b", "c", "d"}) {
    harness.hello(worker);
    harness.say(worker, wire::Goodbye{});
  }
  harness.hello("e");
  harness.answer_survey("e");
  EXPECT_EQ(harness.campaign().state, CampaignState::kSearching);
}

// Bug: each job of a worker with several slots was blamed for each of its deaths.
TEST_F(CoreDeathsTest, WhoDiedInCompanyRunsAloneBeforeItIsCalledPoisonous) {
  begin(2);
  EXPECT_EQ(job(2).attempt, 1);
  kill("a");
  EXPECT_EQ(job(1).deaths, 1);
  EXPECT_EQ(job(2).deaths, 1);
  for (const std::string worker : {"b", "c"}) {  // the first is guilty
    harness.hello(worker, {}, 2);
    EXPECT_THAT(harness.sent<wire::Assign>(worker), SizeIs(1)) << "a suspect runs alone";
    EXPECT_EQ(harness.assignment(worker).value().job.value, 1);
    kill(worker);
  }
  EXPECT_EQ(job(1).state, JobState::kFailed);
  harness.hello("d", {}, 2);
  harness.run("d", harness.assignment("d").value(), 0.5);
  EXPECT_EQ(job(2).state, JobState::kDone);
  EXPECT_EQ(job(2).deaths, 1);
}

TEST_F(CoreDeathsTest, ASuspectWaitsForAWorkerThatDoesNothingElse) {
  harness.step(event::Submitted{two_policies("verify: {top: 2, repeats: 1}\n")});
  harness.hello("a");
  harness.answer_survey("a");
  harness.hello("b", {}, 2);
  kill("a");  // of its job alone; the other runs at b, which has a free slot
  EXPECT_EQ(job(1).state, JobState::kPending);
  harness.run("b", harness.assignment("b").value(), 0.5);
  EXPECT_EQ(harness.assignment("b").value().job.value, 1);
}

// Bug: each restart of a coordinator counted as a death of what its lost workers had trained.
TEST_F(CoreDeathsTest, RestartsOfTheCoordinatorPoisonNothing) {
  begin();
  std::string worker = "a";
  for (int restart = 1; restart <= 5; ++restart) {
    const wire::Assign assigned = harness.assignment(worker).value();
    EXPECT_EQ(assigned.job.value, 1);
    harness.say(worker, wire::Started{assigned.job, assigned.attempt});
    harness.restart();
    harness.advance(11'000);
    worker = "after-" + std::to_string(restart);
    harness.hello(worker);
  }
  EXPECT_EQ(job(1).deaths, 0);
  EXPECT_EQ(job(1).state, JobState::kAssigned);
}

// Bug: a job that ran out of memory failed its trial at once.
TEST_F(CoreDeathsTest, AJobThatFailsHereIsTriedElsewhereAndThenGivenUp) {
  harness.step(
      event::Submitted{experiment_of("search:\n"
                                     "  method: list\n"
                                     "  policies: [{function: fix, k0: 0.1}]\n")});
  harness.hello("a");
  harness.answer_survey("a");
  harness.hello("b");
  const auto fail_at = [&](const std::string& worker) {
    const wire::Assign assigned = harness.assignment(worker).value();
    harness.say(worker, wire::Started{assigned.job, assigned.attempt});
    wire::Finished finished = harness.finished(assigned, 1, OutcomeKind::kFailedHere);
    finished.outcome.message = "out of memory";
    harness.say(worker, finished);
    EXPECT_THAT(harness.sent<wire::Acknowledge>(worker), SizeIs(1));
    return assigned.attempt;
  };
  EXPECT_EQ(fail_at("a"), 1);
  EXPECT_EQ(job(1).deaths, 1);
  EXPECT_THAT(harness.sent<wire::Assign>("a"), SizeIs(0)) << "it goes where it has not failed";
  EXPECT_EQ(fail_at("b"), 2);
  EXPECT_EQ(fail_at("a"), 3) << "it has failed everywhere";
  EXPECT_EQ(job(1).state, JobState::kFailed);
  EXPECT_EQ(job(1).outcome.value().kind, OutcomeKind::kFailed);
  EXPECT_THAT(job(1).outcome.value().message,
              HasSubstr("3 attempts ended with their worker's death or for want of something "
                        "there; the last: worker a could not finish it: out of memory"));
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
}

TEST_F(CoreDeathsTest, ALostSurveyIsASentence) {
  const DecisionRecord decision{CampaignId{2},
                                {},
                                0,
                                "survey_lost",
                                {{"dataset", "mnist"}, {"reason", "it was killed"}, {"deaths", 2}}};
  EXPECT_EQ(sentence(decision),
            "Campaign 2 lost a worker that looked at data set mnist: it was killed (2 deaths so "
            "far).");
}

}  // namespace
}  // namespace lrtune

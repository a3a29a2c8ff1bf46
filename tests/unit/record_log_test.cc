#include "coordinator/record_log.h"

#include <gtest/gtest.h>

namespace lrtune {
namespace {

constexpr WorkIds kKnown{CampaignId{1}, TrialId{3}, JobId{5}, 2};

TEST(RecordLog, ADecisionBearsItsCampaignTrialJobAndAttempt) {
  const DecisionRecord decision{
      CampaignId{1}, TrialId{3}, 0, "refused", {{"worker", "a"}, {"reason", "no \"slot\"\nfree"}}};
  EXPECT_EQ(log_line(decision, kKnown),
            "event=refused campaign=1 trial=3 job=5 attempt=2 reason=\"no \\\"slot\\\"\\nfree\" "
            "worker=a");
}

// Bug to be avoided: a job that is given away in the same turn has a newer attempt by now.
TEST(RecordLog, TheAttemptOfADecisionIsItsOwn) {
  const DecisionRecord decision{CampaignId{1}, TrialId{3}, 0, "requeued", {{"attempt", 1}}};
  EXPECT_EQ(log_line(decision, kKnown), "event=requeued campaign=1 trial=3 job=5 attempt=1");
}

TEST(RecordLog, ADecisionAboutTheWholeCampaignNamesNoTrial) {
  EXPECT_EQ(log_line(DecisionRecord{CampaignId{7}, {}, 0, "created", {{"seed", 1}}}),
            "event=created campaign=7 seed=1");
}

TEST(RecordLog, JobsAndTrialsNameEachOther) {
  JobRecord job;
  job.id = JobId{5};
  job.attempt = 2;
  job.state = JobState::kRunning;
  job.worker = "node 1";
  EXPECT_EQ(log_line(job, kKnown),
            "event=job campaign=1 trial=3 job=5 attempt=2 state=running worker=\"node 1\" "
            "deaths=0");
  TrialRecord trial;
  trial.id = TrialId{3};
  trial.campaign = CampaignId{1};
  trial.job = JobId{5};
  EXPECT_EQ(log_line(trial, {}),
            "event=trial campaign=1 trial=3 job=5 number=0 phase=search state=waiting");
}

TEST(RecordLog, CampaignsAndOrdersAreLinesAndPointsAreNot) {
  CampaignRecord campaign;
  campaign.id = CampaignId{2};
  campaign.name = "my campaign";
  campaign.failure = "no data";
  EXPECT_EQ(log_line(campaign),
            "event=campaign campaign=2 name=\"my campaign\" hash=00000000 state=surveying "
            "reason=\"no data\"");
  EXPECT_EQ(log_line(WorkerOrderRecord{"a", WorkerOrder::kBan, 0, ""}),
            "event=worker_order worker=a order=ban reason=\"\"");
  EXPECT_EQ(log_line(PointRecord{}), "");
  EXPECT_EQ(log_line(IdentityRecord{}), "");
}

}  // namespace
}  // namespace lrtune

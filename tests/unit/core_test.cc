// The coordinator's core by hand: each test is one rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "coordinator/core/decisions.h"
#include "tests/unit/core_harness.h"

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A campaign of two fixed rates with its trials made and worker "a" at the first of them.
class CoreTest : public testing::Test {
 protected:
  void begin(const Experiment& experiment) {
    harness.step(event::Submitted{experiment});
    harness.hello("a");
    harness.answer_survey("a");
  }
  wire::Assign job_of(const std::string& worker) { return harness.assignment(worker).value(); }

  CoreHarness harness;
};

TEST_F(CoreTest, MakesTrialsOnlyAfterTheSurvey) {
  harness.step(event::Submitted{two_policies()});
  EXPECT_EQ(harness.campaign().waiting_for, "no worker is connected");
  harness.hello("a");
  EXPECT_EQ(harness.campaign().trials, 0);
  ASSERT_EQ(harness.sent<wire::Survey>("a").size(), 1u);
  harness.answer_survey("a");
  EXPECT_EQ(harness.campaign().trials, 2);
  const wire::Assign job = job_of("a");
  EXPECT_EQ(job.attempt, 1);
  EXPECT_EQ(job.identity.numerics.threads,
            1);  // the experiment's, not the four that the worker could give
  EXPECT_EQ(job.policy.segments.at(0).function.k0, 0.1);
}

TEST_F(CoreTest, FailedSurveyEndsTheCampaignBeforeAnyTrialAndTheNextRunTriesAgain) {
  harness.step(event::Submitted{two_policies()});
  harness.hello("a");
  const auto survey = harness.sent<wire::Survey>("a").at(0);
  harness.say("a", wire::Surveyed{survey.survey, std::nullopt, "train-images is truncated"});
  EXPECT_EQ(harness.campaign().state, CampaignState::kFailed);
  EXPECT_EQ(harness.campaign().failure, "train-images is truncated");
  EXPECT_EQ(harness.campaign().trials, 0);
  harness.restart();
  begin(two_policies());
  EXPECT_EQ(harness.campaign().state, CampaignState::kSearching);
}

TEST_F(CoreTest, AssignmentIsPersistedInTheStepThatSendsIt) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  const JobRecord kept = harness.kept().of<JobRecord>().back();
  EXPECT_EQ(kept.id, job.job);
  EXPECT_EQ(kept.attempt, job.attempt);
  EXPECT_EQ(kept.state, JobState::kAssigned);
}

TEST_F(CoreTest, RunsAllTrialsRanksThemAndIsDone) {
  begin(two_policies());
  harness.run("a", job_of("a"), 0.5);
  harness.run("a", job_of("a"), 0.9);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  const auto ranking = harness.kept().of<RankingRecord>();
  ASSERT_EQ(ranking.size(), 2u);
  EXPECT_EQ(ranking[0].rank, 1);
  EXPECT_EQ(ranking[0].trial.value, 2);
  EXPECT_THAT(harness.kept().codes(1), ElementsAre("assigned", "completed", "ranked"));
}

TEST_F(CoreTest, AcknowledgesEachReportInTheStepThatRecordsIt) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Started{job.job, job.attempt});
  const Actions actions = harness.step(event::Received{"a", harness.measured(job, 1, 0, 0.1)});
  EXPECT_EQ(actions.records.size(), 1u);
  EXPECT_THAT(harness.sent<wire::Acknowledge>("a"),
              ElementsAre(wire::Acknowledge{job.job, job.attempt, 1}));
}

TEST_F(CoreTest, RepeatedReportIsAcknowledgedAgainAndRecordedOnce) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", harness.measured(job, 1, 0, 0.1));
  const Actions again = harness.step(event::Received{"a", harness.measured(job, 1, 0, 0.1)});
  EXPECT_THAT(again.records, IsEmpty());
  EXPECT_EQ(harness.sent<wire::Acknowledge>("a").size(), 1u);
}

TEST_F(CoreTest, ReportAfterAGapIsLeftToBeSentAgain) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  const Actions gap = harness.step(event::Received{"a", harness.measured(job, 2, 50, 0.1)});
  EXPECT_THAT(gap.records, IsEmpty());
  EXPECT_THAT(gap.sends, IsEmpty());
}

TEST_F(CoreTest, FinishedReportWhoseAcknowledgementWasLostIsAcknowledgedAgain) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.run("a", job, 0.5);
  const Actions again =
      harness.step(event::Received{"a", harness.finished(job, 3, OutcomeKind::kCompleted)});
  EXPECT_THAT(again.records, IsEmpty());
  EXPECT_THAT(harness.sent<wire::Acknowledge>("a"),
              ElementsAre(wire::Acknowledge{job.job, job.attempt, 3}));
}

TEST_F(CoreTest, WorkerPastItsLeaseLosesItsJobAndItsLateReportsChangeNothing) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Started{job.job, job.attempt});
  harness.advance(11'000);
  harness.hello("b");
  const wire::Assign second = job_of("b");
  EXPECT_EQ(second.job, job.job);
  EXPECT_EQ(second.attempt, job.attempt + 1);
  // The first worker wakes up: it is unknown now, introduces itself and is told to forget the
  // attempt.
  harness.say("a", harness.measured(job, 1, 0, 0.9));
  EXPECT_EQ(harness.sent<wire::Introduce>("a").size(), 1u);
  harness.hello("a", {{job.job, job.attempt}});
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 1u);
  const Actions late =
      harness.step(event::Received{"a", harness.finished(job, 1, OutcomeKind::kCompleted)});
  EXPECT_THAT(late.records, IsEmpty());
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 1u);
}

TEST_F(CoreTest, LeasesAreExtendedByAStallOfTheCoordinatorItself) {
  begin(two_policies());
  harness.stall(60'000);
  EXPECT_EQ(harness.core().snapshot().workers, 1);
  harness.advance(11'000);
  EXPECT_EQ(harness.core().snapshot().workers, 0);
}

TEST_F(CoreTest, PoisonousJobIsSetAsideAndTheCampaignEnds) {
  begin(two_policies());
  const wire::Assign first = job_of("a");
  for (int death = 1; death <= 3; ++death) {
    const std::string worker = "w" + std::to_string(death);
    if (death == 1) {
      harness.say("a", wire::Started{first.job, first.attempt});
      harness.step(event::PeerLost{"a", "killed by signal 9"});
      continue;
    }
    harness.hello(worker);
    const wire::Assign job = job_of(worker);
    ASSERT_EQ(job.job, first.job);
    harness.say(worker, wire::Started{job.job, job.attempt});
    harness.step(event::PeerLost{worker, "killed by signal 9"});
  }
  EXPECT_EQ(harness.campaign().failed, 1);
  EXPECT_THAT(harness.kept().codes(1), ElementsAre("assigned", "requeued", "assigned", "requeued",
                                                   "assigned", "poisoned", "failed"));
  harness.hello("b");
  harness.run("b", job_of("b"), 0.5);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
}

TEST_F(CoreTest, WorkerThatLeavesInOrderCostsNoDeath) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Started{job.job, job.attempt});
  harness.say("a", wire::Goodbye{});
  EXPECT_EQ(harness.kept().of<JobRecord>().back().deaths, 0);
  EXPECT_EQ(harness.kept().of<JobRecord>().back().state, JobState::kPending);
}

TEST_F(CoreTest, EqualCandidatesAreOneJob) {
  begin(
      experiment_of("search:\n"
                    "  method: list\n"
                    "  policies:\n"
                    "    - {function: fix, k0: 0.1}\n"
                    "    - {function: step, k0: 0.1, gamma: 0.5, l: 100000}\n"));
  EXPECT_EQ(harness.kept().of<TrialRecord>().at(0).job, harness.kept().of<TrialRecord>().at(1).job);
  harness.run("a", job_of("a"), 0.5);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_EQ(harness.campaign().done, 2);
}

TEST_F(CoreTest, EditedExperimentReusesWhatIsKnown) {
  begin(two_policies());
  harness.run("a", job_of("a"), 0.5);
  harness.run("a", job_of("a"), 0.9);
  harness.step(
      event::Submitted{experiment_of("search:\n"
                                     "  method: list\n"
                                     "  policies:\n"
                                     "    - {function: fix, k0: 0.01}\n"
                                     "    - {function: fix, k0: 0.001}\n")});
  harness.answer_survey("a");
  const CampaignView second = harness.core().snapshot().campaigns.at(1);
  EXPECT_EQ(second.reused, 1);
  EXPECT_EQ(second.done, 1);
  EXPECT_THAT(harness.kept().codes(3), ElementsAre("reused"));
  EXPECT_EQ(job_of("a").policy.segments.at(0).function.k0, 0.001);
}

TEST_F(CoreTest, VerificationRepeatsTheBestWithNewSeedsAndRanksMeans) {
  begin(two_policies("verify: {top: 1, repeats: 2}\n"));
  harness.run("a", job_of("a"), 0.5);
  harness.run("a", job_of("a"), 0.9);
  EXPECT_EQ(harness.campaign().state, CampaignState::kVerifying);
  std::vector<std::uint64_t> seeds;
  for (const double top1 : {0.8, 0.7}) {
    const wire::Assign job = job_of("a");
    EXPECT_EQ(job.policy.segments.at(0).function.k0, 0.01);
    seeds.push_back(job.seed);
    harness.run("a", job, top1);
  }
  EXPECT_NE(seeds[0], seeds[1]);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  const RankingRecord verified = harness.kept().of<RankingRecord>().back();
  EXPECT_EQ(verified.phase, TrialPhase::kVerify);
  EXPECT_NEAR(verified.scores.json().at("top1_mean").get<double>(), 0.75, 1e-12);
}

TEST_F(CoreTest, ToleranceTrainsTheBestWithScaledRatesAndTheSameSeed) {
  begin(two_policies("tolerance: {scales: [0.5, 1, 10]}\n"));
  const std::uint64_t seed = job_of("a").seed;
  harness.run("a", job_of("a"), 0.9);
  harness.run("a", job_of("a"), 0.5);
  EXPECT_EQ(harness.campaign().state, CampaignState::kScaling);
  EXPECT_EQ(harness.campaign().trials, 4) << "scale 1 is the search's own trial";
  const double base = 0.1;
  for (const auto& [scale, top1] : {std::pair(0.5, 0.8), std::pair(10.0, 0.7)}) {
    const wire::Assign job = job_of("a");
    EXPECT_EQ(job.policy.segments.at(0).function.k0, base * scale);
    EXPECT_EQ(job.seed, seed);
    harness.run("a", job, top1);
  }
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  std::optional<DecisionRecord> tolerance;
  for (const DecisionRecord& decision : harness.kept().of<DecisionRecord>()) {
    if (decision.code == "tolerance") tolerance = decision;
  }
  ASSERT_TRUE(tolerance);
  EXPECT_EQ(tolerance->trial, TrialId{1});
  EXPECT_EQ(tolerance->numbers.json().at("scales"), 3);
  EXPECT_NEAR(tolerance->numbers.json().at("top1_mean").get<double>(), 0.8, 1e-12);
  EXPECT_NEAR(tolerance->numbers.json().at("top1_lowest").get<double>(), 0.7, 1e-12);
}

TEST_F(CoreTest, ToleranceFollowsTheVerification) {
  begin(two_policies("verify: {top: 2, repeats: 1}\ntolerance: {scales: [0.5]}\n"));
  harness.run("a", job_of("a"), 0.9);
  harness.run("a", job_of("a"), 0.8);
  harness.run("a", job_of("a"), 0.5);  // the search's best is not that of the new seed
  harness.run("a", job_of("a"), 0.7);
  ASSERT_EQ(harness.campaign().state, CampaignState::kScaling);
  const wire::Assign job = job_of("a");
  EXPECT_EQ(job.policy.segments.at(0).function.k0, 0.01 * 0.5);
  harness.run("a", job, 0.6);
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
}

TEST_F(CoreTest, DivergedTrialRanksLastAndTheSearchGoesOn) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Started{job.job, job.attempt});
  harness.say("a", harness.measured(job, 1, 0, 0.99));
  harness.say("a", harness.finished(job, 2, OutcomeKind::kDiverged));
  harness.run("a", job_of("a"), 0.5);
  EXPECT_EQ(harness.campaign().diverged, 1);
  EXPECT_EQ(harness.kept().of<RankingRecord>().back().trial.value, 1);
}

TEST_F(CoreTest, ATrialWhoseTimeIsOverEndsWellWhereItIs) {
  begin(two_policies());
  wire::Assign job = job_of("a");
  ASSERT_GT(job.plan.iterations, 3);
  job.plan.iterations = 3;  // as far as it comes
  harness.run("a", job, 0.9, OutcomeKind::kTimeLimit);
  harness.run("a", job_of("a"), 0.5);
  EXPECT_EQ(harness.campaign().failed, 0);
  const std::vector<RankingRecord> ranks = harness.kept().of<RankingRecord>();
  ASSERT_EQ(ranks.size(), 2u);
  EXPECT_EQ(ranks.front().trial.value, 1);
}

// Regression: SQLite turns NaN into NULL, so a foreign worker's NaN made every commit fail.
TEST_F(CoreTest, ReportThatIsNotFiniteFailsItsTrialAndIsNotKept) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  wire::Measured report = harness.measured(job, 1, 0, 0.1);
  report.point.train.loss = std::numeric_limits<double>::quiet_NaN();
  harness.say("a", report);
  EXPECT_EQ(harness.campaign().failed, 1);
  EXPECT_THAT(harness.kept().of<PointRecord>(), IsEmpty());
  EXPECT_EQ(harness.sent<wire::Cancel>("a").size(), 1u);
}

TEST_F(CoreTest, PeopleAreToldWhyEveryWorkerRefuses) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Refused{job.job, job.attempt, "no data here"});
  EXPECT_EQ(harness.campaign().waiting_for,
            "every worker that could train it refuses: no data here");
}

// Bug: it went back to the queue as if it had been refused, ahead of all others, again and again.
TEST_F(CoreTest, AnAssignmentThatCannotBeSentFailsItsTrialWithTheReason) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  wire::Assign old = job;
  ++old.attempt;
  harness.step(event::Undeliverable{"a", old, "too long"});
  EXPECT_EQ(harness.campaign().failed, 0) << "of another attempt";
  harness.step(event::Undeliverable{"a", job, "an assign message of 70000 bytes is too long"});
  EXPECT_EQ(harness.campaign().failed, 1);
  EXPECT_NE(job_of("a").job, job.job);
  const DecisionRecord failed = harness.kept().of<DecisionRecord>().end()[-2];
  EXPECT_EQ(sentence(failed),
            "Trial 1 failed at iteration 0: it cannot be sent to a worker: an assign message of "
            "70000 bytes is too long.");
}

// Images that cannot be decoded: the run ends well, and people see what it skipped.
TEST_F(CoreTest, WhatAWorkerSaysOfACompletedTrialIsShown) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Started{job.job, job.attempt});
  wire::Finished report = harness.finished(job, 1, OutcomeKind::kCompleted);
  report.outcome.message = "skipped 1 of 48 images that cannot be decoded, first /data/7.jpg";
  harness.say("a", report);
  const auto decisions = harness.kept().of<DecisionRecord>();
  const auto completed =
      std::find_if(decisions.begin(), decisions.end(),
                   [](const DecisionRecord& decision) { return decision.code == "completed"; });
  ASSERT_NE(completed, decisions.end());
  EXPECT_THAT(sentence(*completed),
              HasSubstr("; skipped 1 of 48 images that cannot be decoded, first /data/7.jpg."));
}

TEST_F(CoreTest, WrongChainOfRatesFailsTheTrial) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Started{job.job, job.attempt});
  wire::Finished report = harness.finished(job, 1, OutcomeKind::kCompleted);
  report.outcome.state = sha256("other rates");
  harness.say("a", report);
  EXPECT_EQ(harness.campaign().failed, 1);
  EXPECT_THAT(sentence(harness.kept().of<DecisionRecord>().back()), HasSubstr("assigned"));
  EXPECT_THAT(harness.kept().codes(1), ElementsAre("assigned", "failed"));
}

TEST_F(CoreTest, RestartedCoordinatorAdoptsWhatItsWorkersKeptTraining) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.say("a", wire::Started{job.job, job.attempt});
  harness.say("a", harness.measured(job, 1, 0, 0.1));
  harness.restart();
  harness.say("a", wire::Heartbeat{});
  EXPECT_EQ(harness.sent<wire::Introduce>("a").size(), 1u);
  harness.hello("a", {{job.job, job.attempt}});
  harness.say("a", harness.measured(job, 1, 0, 0.1));  // its acknowledgement may be lost
  harness.say("a", harness.measured(job, 2, 100, 0.5));
  harness.say("a", harness.finished(job, 3, OutcomeKind::kCompleted));
  EXPECT_EQ(harness.campaign().done, 1);
  EXPECT_EQ(harness.kept().of<PointRecord>().size(), 2u);
}

TEST_F(CoreTest, RestartedCoordinatorGivesUnknownHoldersOneLease) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.restart();
  harness.hello("b");
  EXPECT_NE(job_of("b").job, job.job);
  harness.say("b", wire::Goodbye{});
  harness.advance(11'000);
  harness.hello("c");
  EXPECT_EQ(job_of("c").job, job.job);
  EXPECT_EQ(job_of("c").attempt, job.attempt + 1);
}

// Regression: a job whose assignment died with the coordinator waited for a lease although its
// worker was there at once.
TEST_F(CoreTest, RestartedCoordinatorTakesBackWhatAWorkerComesBackWithout) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  harness.restart();
  harness.hello("a");
  harness.core().check_invariants();
  EXPECT_NE(job_of("a").job, job.job);
  harness.run("a", job_of("a"), 0.5);
  harness.advance(3000);  // of a lease of 10 s
  EXPECT_EQ(job_of("a").job, job.job);
  EXPECT_EQ(job_of("a").attempt, job.attempt + 1);
  const auto decisions = harness.kept().of<DecisionRecord>();
  EXPECT_TRUE(std::any_of(decisions.begin(), decisions.end(), [](const DecisionRecord& decision) {
    return sentence(decision).find(
               "worker a did not come back with it after the coordinator's "
               "restart (0 deaths so far)") != std::string::npos;
  }));
}

// Regression: of two processes that call themselves the same, the one that came back first after a
// restart took the other's job away from it.
TEST_F(CoreTest, RestartedCoordinatorLeavesTwoProcessesOfOneNameTheirJobs) {
  const auto process_two = [](std::vector<wire::HeldAttempt> held = {}) {
    return wire::Hello{"a", "process two", 1, CoreHarness::numerics(), std::move(held)};
  };
  begin(two_policies());
  const wire::Assign first = job_of("a");
  harness.say("second", process_two());
  const wire::Assign second = job_of("second");
  ASSERT_NE(first.job, second.job);
  harness.restart();
  harness.hello("a", {{first.job, first.attempt}});
  harness.say("second", process_two({{second.job, second.attempt}}));
  harness.advance(3000);
  EXPECT_TRUE(harness.sent<wire::Cancel>("second").empty());
  harness.run("second", second, 0.5);
  harness.run("a", first, 0.5);
  EXPECT_EQ(harness.campaign().done, 2);
}

TEST_F(CoreTest, LostAssignmentIsSentAgainWithTheSameAttempt) {
  begin(two_policies());
  const wire::Assign job = job_of("a");
  for (int second = 0; second < 10; ++second) {
    harness.say("a", wire::Heartbeat{});
    harness.advance(1000);
  }
  const auto again = harness.sent<wire::Assign>("a");
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0], job);
}

TEST_F(CoreTest, WorkerWithOtherNumericsGetsNoJobAndPeopleAreToldWhy) {
  begin(two_policies());
  harness.say("a", wire::Goodbye{});
  Numerics other = CoreHarness::numerics();
  other.instruction_set = "AVX512";
  harness.say("b", wire::Hello{"b", "b-process", 1, other, {}});
  EXPECT_FALSE(harness.assignment("b").has_value());
  EXPECT_EQ(harness.campaign().waiting_for,
            "no worker offers test 1 on cpu (AVX2) with 1 thread per slot, which the campaign was "
            "made with");
}

TEST_F(CoreTest, WorkerWithOtherNumericsGetsTheJobsOfAnInexactCampaign) {
  begin(two_policies("", "  inexact: true\n"));
  harness.say("a", wire::Goodbye{});
  Numerics other = CoreHarness::numerics();
  other.instruction_set = "AVX512";
  other.backend = "test 2";
  harness.say("b", wire::Hello{"b", "b-process", 1, other, {}});
  const auto job = harness.assignment("b");
  ASSERT_TRUE(job.has_value());
  EXPECT_TRUE(job->identity.train.inexact);
  EXPECT_EQ(harness.campaign().waiting_for, "");
}

// A campaign whose `train` has domains kept everybody waiting while all its candidates were looked
// at for the surveys that they need.
TEST_F(CoreTest, LooksForSurveysInSomeCandidatesAStep) {
  const Experiment experiment = experiment_from_yaml(
                                    "name: many\n"
                                    "train:\n"
                                    "  dataset: {name: mnist}\n"
                                    "  model: lenet\n"
                                    "  optimizer: {name: sgd}\n"
                                    "  batch: {int: [1, 1000]}\n"
                                    "run: {iterations: 1, evaluate: {every: 1}}\n"
                                    "search:\n"
                                    "  method: random\n"
                                    "  count: 1000\n"
                                    "  policies: [{function: fix, k0: 0.1}]\n",
                                    "many.yaml")
                                    .value();
  harness.hello("a");
  harness.step(event::Submitted{experiment});
  const std::vector<wire::Survey> first = harness.sent<wire::Survey>("a");
  EXPECT_GT(first.size(), 100U);
  EXPECT_LE(first.size(), 400U);
  harness.say("a", wire::Heartbeat{});
  EXPECT_GT(harness.sent<wire::Survey>("a").size(), 50U);  // the next ones
  EXPECT_EQ(harness.campaign().trials, 0);
  while (harness.campaign().state == CampaignState::kSurveying) {
    harness.step(event::Ticked{});
    harness.answer_survey("a");
    ASSERT_NE(harness.campaign().state, CampaignState::kFailed) << harness.campaign().failure;
  }
  EXPECT_EQ(harness.campaign().trials, 1000);
}

TEST_F(CoreTest, StopShutsWorkersDownAndKeepsEverything) {
  begin(two_policies());
  harness.step(event::StopRequested{"Ctrl-C"});
  EXPECT_EQ(harness.sent<wire::Shutdown>("a").size(), 1u);
  EXPECT_FALSE(harness.core().snapshot().stopped);
  harness.say("a", wire::Goodbye{});
  EXPECT_TRUE(harness.core().snapshot().stopped);
  harness.restart();
  begin(two_policies());
  EXPECT_EQ(harness.campaign().trials, 2);
  EXPECT_EQ(job_of("a").attempt, 2);
}

TEST(CoreOnlyCampaign, LeavesOtherCampaignsAlone) {
  CoreHarness harness(two_policies().hash);
  harness.step(event::Submitted{two_policies()});
  harness.hello("a");
  harness.answer_survey("a");
  EXPECT_TRUE(harness.assignment("a").has_value());
  EXPECT_EQ(harness.core().snapshot().campaigns.size(), 1u);
}

// ---- verification until the order is settled

TEST_F(CoreTest, RepeatsOnlyWhileTheOrderIsNotSettled) {
  begin(two_policies("verify: {top: 2, repeats: 5, settled: 0.05}\n"));
  const auto run_next = [&] {
    const wire::Assign job = job_of("a");
    const bool high = job.policy.segments.at(0).function.k0 == 0.1;
    harness.run("a", job, high ? 0.9 + 0.001 * static_cast<double>(job.seed % 3) : 0.5);
  };
  for (int i = 0; i < 6; ++i) run_next();  // two of the search, two repeats of each
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone) << "0.9 and 0.5 are far apart";
  EXPECT_EQ(harness.campaign().trials, 6);
}

TEST_F(CoreTest, PoliciesThatAreEquallyGoodAreRepeatedToTheLimit) {
  begin(two_policies("verify: {top: 2, repeats: 4, settled: 0.05}\n"));
  for (int i = 0; i < 2 + 2 * 4; ++i) {
    EXPECT_NE(harness.campaign().state, CampaignState::kDone) << i;
    const wire::Assign job = job_of("a");
    harness.run("a", job, 0.9 + 0.01 * (i % 4));
  }
  EXPECT_EQ(harness.campaign().state, CampaignState::kDone);
  EXPECT_EQ(harness.campaign().trials, 10);
  std::vector<std::string> sentences;
  for (const DecisionRecord& decision : harness.kept().of<DecisionRecord>()) {
    if (decision.code == "order") sentences.push_back(sentence(decision));
  }
  ASSERT_EQ(sentences.size(), 3u);  // after two, three and four repeats
  EXPECT_THAT(sentences[0], HasSubstr("0 of 1 neighbours are settled"));
  EXPECT_THAT(sentences[2], HasSubstr("0 policies are repeated once more"));
}

}  // namespace
}  // namespace lrtune

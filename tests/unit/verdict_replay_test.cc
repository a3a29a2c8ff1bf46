// A recorded verdict, made again from the campaigns that it rests on.
#include "coordinator/methods/verdict_replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/methods/verdict.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

Experiment mine() {
  return experiment_from_yaml(R"(
name: mine
train:
  dataset: {name: mnist}
  model: lenet
  optimizer: {name: sgd}
  batch: 100
run: {iterations: 100, evaluate: {every: 50}}
seed: 7
search: {method: list, policies: [{function: fix, k0: 0.01}]}
)",
                              "mine.yaml")
      .value();
}

Policy fix(double k0) { return Policy{{{{.kind = LrFunctionKind::kFix, .k0 = k0}}}}; }

VerifySettings settings() { return {.target = {Measure::kTop1, 0.9}}; }

// FIX 0.1 misses the target alone, and of the three that it is compared with FIX 0.3 beats it.
class VerdictReplayTest : public testing::Test {
 protected:
  VerdictReplayTest() {
    const std::vector<nlohmann::json> judged = {to_json(fix(0.1))};
    const std::vector<nlohmann::json> others = {to_json(fix(0.2)), to_json(fix(0.3)),
                                                to_json(fix(0.4))};
    add(trial_experiment(mine(), judged, settings()).value());
    add(comparison_experiment(mine(), judged[0], others, settings()).value());
    add_trial(CampaignId{1}, fix(0.1), 0.80);
    int number = 0;
    for (const double top1 : {0.80, 0.85, 0.94, 0.91}) {
      const TrialId search = add_trial(CampaignId{2}, fix(0.1 * ++number), top1);
      for (std::uint32_t repeat = 1; repeat <= 2; ++repeat)
        add_trial(CampaignId{2}, fix(0.1 * number), top1 + 0.01 * repeat, search, repeat);
    }
    verdict_ = {CampaignId{1}, TrialId{1}, 0, "verdict", judged_now()};
  }

  // As `lrtune verify` finds it.
  nlohmann::json judged_now() const {
    const auto alone = collect_results(stored_, stored_.campaigns[0].hash).value();
    const auto compared = collect_results(stored_, stored_.campaigns[1].hash).value();
    Judgement judgement = judge_alone(to_json(fix(0.1)), alone.policies.front(), alone, settings());
    judge_comparison(judgement, fix(0.1), compared, settings());
    EXPECT_TRUE(judgement.decided);
    return verdict_numbers(judgement, settings(), fix(0.1));
  }

  VerdictReplay replay() const { return replay_verdicts(stored_, {&verdict_, 1}); }
  void record(const char* key, const nlohmann::json& value) {
    nlohmann::json numbers = verdict_.numbers.json();
    numbers[key] = value;
    verdict_.numbers = numbers;
  }

  StoredState stored_;
  DecisionRecord verdict_;

 private:
  void add(const Experiment& experiment) {
    CampaignRecord campaign;
    campaign.id = CampaignId{static_cast<std::int64_t>(stored_.campaigns.size()) + 1};
    campaign.name = experiment.name;
    campaign.hash = experiment.hash;
    campaign.experiment = experiment.normalised;
    campaign.state = CampaignState::kDone;
    stored_.campaigns.push_back(campaign);
  }

  TrialId add_trial(CampaignId campaign, const Policy& policy, double top1, TrialId verifies = {},
                    std::uint32_t repeat = 0) {
    const auto id = static_cast<std::int64_t>(stored_.trials.size()) + 1;
    TrialRecord trial;
    trial.id = TrialId{id};
    trial.number = id - 1;
    trial.campaign = campaign;
    trial.phase = verifies ? TrialPhase::kVerify : TrialPhase::kSearch;
    trial.verifies = verifies;
    trial.repeat = repeat;
    trial.policy = policy;
    trial.plan.iterations = 100;
    trial.plan.target = settings().target;
    trial.job = JobId{id};
    trial.state = TrialState::kDone;
    stored_.trials.push_back(trial);
    JobRecord job;
    job.id = JobId{id};
    job.state = JobState::kDone;
    job.attempt = 1;
    job.outcome = Outcome{OutcomeKind::kCompleted, 100, {}, ""};
    stored_.jobs.push_back(job);
    PointRecord point;
    point.job = JobId{id};
    point.attempt = 1;
    point.point.iteration = 100;
    point.point.evaluated.top1 = top1;
    stored_.points.push_back(point);
    return TrialId{id};
  }
};

// Regression: after an extension the verdict was held against the longer runs, and differed for
// ever.
TEST_F(VerdictReplayTest, OneOfBeforeAnExtensionIsNotMadeAgain) {
  verdict_.at = 1000;
  stored_.campaigns[1].extensions = 1;
  stored_.campaigns[1].ended_at = 2000;
  EXPECT_EQ(replay().outdated, 1);
  EXPECT_EQ(replay().verdicts, 0);
  EXPECT_EQ(replay().difference, "");
  verdict_.at = 3000;
  EXPECT_EQ(replay().outdated, 1)
      << "imported: it rests on another store's, which was not extended";
  stored_.campaigns[1].extensions = 0;
  EXPECT_EQ(replay().verdicts, 1);
}

TEST_F(VerdictReplayTest, IsTheSameAgain) {
  EXPECT_EQ(verdict_.numbers.json().at("verdict"), "replaced");
  EXPECT_EQ(verdict_.numbers.json().at("replacement_top1"), 0.955);
  const VerdictReplay replayed = replay();
  EXPECT_EQ(replayed.verdicts, 1);
  EXPECT_EQ(replayed.difference, "");
}

TEST_F(VerdictReplayTest, NamesTheFirstNumberThatIsAnotherOne) {
  record("replacement_top1", 0.99);
  EXPECT_EQ(replay().difference,
            "the verdict about trial 1: replacement_top1 was 0.99, and would now be 0.955");
}

TEST_F(VerdictReplayTest, AnotherResultWouldBeAnotherVerdict) {
  for (PointRecord& point : stored_.points) {
    const Policy& policy = stored_.trials[static_cast<std::size_t>(point.job.value) - 1].policy;
    if (point.job.value > 1 && policy == fix(0.1)) point.point.evaluated.top1 = 0.99;
  }
  EXPECT_THAT(replay().difference, HasSubstr("would now make one"));
}

// Phase 2 that found a replacement which meets the target ends the verification.
TEST_F(VerdictReplayTest, APhaseThatWasNotNeededIsADifference) {
  record("generated_in", verdict_.numbers.json().at("compared_in"));
  EXPECT_THAT(replay().difference, HasSubstr("generated_in was "));
}

TEST_F(VerdictReplayTest, ALostCampaignIsNamed) {
  const std::string hash = stored_.campaigns[1].hash.hex().substr(0, 8);
  stored_.campaigns.pop_back();
  EXPECT_EQ(replay().difference, "the verdict about trial 1: campaign " + hash +
                                     ", which it rests on, is not in the store");
}

TEST_F(VerdictReplayTest, ARecordWithoutItsCampaignsIsCountedOnly) {
  nlohmann::json numbers = verdict_.numbers.json();
  numbers.erase("generated_in");
  verdict_.numbers = numbers;
  const VerdictReplay replayed = replay();
  EXPECT_EQ(replayed.verdicts, 0);
  EXPECT_EQ(replayed.untold, 1);
  EXPECT_EQ(replayed.difference, "");
}

TEST_F(VerdictReplayTest, ARecordThatCannotBeReadIsADifference) {
  record("compare", "many");
  EXPECT_THAT(replay().difference, HasSubstr("its record cannot be read"));
  for (const nlohmann::json& candidates : {nlohmann::json("many"), nlohmann::json(1e300)}) {
    record("candidates", candidates);
    EXPECT_THAT(replay().difference, HasSubstr("its number of candidates is none"));
  }
}

}  // namespace
}  // namespace lrtune

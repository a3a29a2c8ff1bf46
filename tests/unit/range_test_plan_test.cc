// `lrtune range-test`: the campaign that it makes and what it reads out of the results.
#include "coordinator/methods/range_test_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "common/config/run_plan.h"
#include "common/policy/policy_json.h"
#include "coordinator/methods/stored_range.h"

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Experiment mine(const std::string& batch = "100") {
  return experiment_from_yaml(R"(
name: mine
train:
  dataset: {name: mnist}
  model: lenet
  optimizer: {name: sgd}
  batch: )" + batch + R"(
run: {epochs: 8, evaluate: {every: 1 epochs}, target: {top1: 0.9}}
seed: 7
search:
  method: grid
  policies:
    - {function: fix, k0: 0.01}
)",
                              "mine.yaml")
      .value();
}

RangeTestSettings settings() {
  return {.low = 0.001, .high = 1, .rates = 4, .epochs = {1, 2}, .iterations = {}, .seeds = 2};
}

TEST(RangeTestPlan, GridIsEvenInTheLogarithmAndItsEndsAreExact) {
  EXPECT_THAT(rate_grid(settings()), ElementsAre(0.001, 0.01, 0.1, 1));
  RangeTestSettings odd = settings();
  odd.low = 0.00037;
  EXPECT_EQ(rate_grid(odd).front(), 0.00037);
}

// Regression: a name of 100 letters ran, and its range test was refused for the name.
TEST(RangeTestPlan, ALongNameIsCut) {
  Experiment experiment = mine();
  experiment.name = std::string(100, 'n');
  const auto test = range_test_experiment(experiment, settings());
  ASSERT_TRUE(test) << test.error().message;
  EXPECT_EQ(test->name, std::string(89, 'n') + "-range-test");
  EXPECT_EQ(derived_name("short", "-ramp"), "short-ramp");
}

TEST(RangeTestPlan, ShorterRunsAreTheBeginningsOfTheLongest) {
  const Experiment test = range_test_experiment(mine(), settings()).value();
  EXPECT_EQ(test.name, "mine-range-test");
  EXPECT_EQ(test.length.epochs, 2);
  EXPECT_EQ(test.evaluate_every.epochs, 1);
  EXPECT_EQ(test.policies.size(), 4u);
  EXPECT_EQ(test.verify_top, 4);
  EXPECT_EQ(test.verify_repeats, 1);
  EXPECT_FALSE(test.target);
  RangeTestSettings exact = settings();
  exact.epochs.clear();
  exact.iterations = {50, 100, 200};
  exact.seeds = 1;
  const Experiment by_iterations = range_test_experiment(mine(), exact).value();
  EXPECT_EQ(by_iterations.length.iterations, 200);
  EXPECT_EQ(by_iterations.evaluate_every.iterations, 50);
  EXPECT_EQ(by_iterations.verify_top, 0);
}

std::string refusal(const RangeTestSettings& wrong, const Experiment& experiment = mine()) {
  const auto made = range_test_experiment(experiment, wrong);
  return made ? "made" : made.error().message;
}

TEST(RangeTestPlan, SaysWhichSettingIsWrong) {
  RangeTestSettings wrong = settings();
  wrong.low = 0;
  EXPECT_THAT(refusal(wrong), HasSubstr("--low and --high: 1e-12 <= "));
  wrong = settings();
  wrong.rates = 2;
  EXPECT_THAT(refusal(wrong), HasSubstr("--rates must be 3 or more"));
  wrong = settings();
  wrong.epochs = {1, 2.5};
  EXPECT_THAT(refusal(wrong), HasSubstr("--epochs: lengths must be above 0, ascending and"));
  wrong = settings();
  wrong.iterations = {100};
  EXPECT_THAT(refusal(wrong), HasSubstr("--epochs or --iterations, one of them"));
  EXPECT_THAT(refusal(settings(), mine("[100, 200]")), HasSubstr("holds domains"));
}

// Regression: rates of a fine grid were the same in three digits, and one of each two had no run.
TEST(RangeTestPlan, RatesOfAFineGridAreAllDifferent) {
  RangeTestSettings fine = settings();
  fine.low = 1e-4;
  fine.high = 1;
  fine.rates = 1000;
  const std::vector<double> rates = rate_grid(fine);
  EXPECT_EQ(std::ranges::adjacent_find(rates, std::greater_equal<>()), rates.end());
  fine.low = 0.1;
  fine.high = 0.1 + 1e-7;
  EXPECT_THAT(refusal(fine), HasSubstr("are the same in seven digits"));
}

// Regression: the length of a stair overflowed.
TEST(RangeTestPlan, ARampHasALengthThatARunMayHave) {
  RangeTestSettings ramp = settings();
  ramp.ramp = true;
  ramp.epochs.clear();
  ramp.iterations = {std::numeric_limits<std::int64_t>::max()};
  const auto made = ramp_experiment(mine(), ramp, 0);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("--iterations must be at most 20000000"));
}

// Rates 0.001, 0.01, 0.1 and 1 with two seeds, evaluated after 500 and 1,000 iterations; 1
// diverges.
CampaignResults results_of(const std::vector<std::vector<double>>& top1) {
  CampaignResults results;
  const std::vector<double> rates = rate_grid(settings());
  const auto run = [&](std::size_t rate, std::uint32_t repeat) {
    TrialResult one;
    one.trial.plan.iterations = 1000;
    one.trial.plan.evaluate_every = 500;
    one.trial.repeat = repeat;
    one.trial.policy.segments = {{{.kind = LrFunctionKind::kFix, .k0 = rates[rate]}}};
    one.scores.ended_well = !top1[rate].empty();
    for (std::size_t i = 0; i < top1[rate].size(); ++i) {
      MetricPoint point;
      point.iteration = 500 * static_cast<std::int64_t>(i);
      point.evaluated.top1 = top1[rate][i];
      one.points.push_back(point);
    }
    return one;
  };
  for (std::size_t rate = 0; rate < rates.size(); ++rate) {
    PolicyResult policy;
    policy.search = run(rate, 0);
    if (policy.search.scores.ended_well) policy.repeats.push_back(run(rate, 1));
    results.policies.push_back(policy);
  }
  return results;
}

TrainingIdentity identity() {
  TrainingIdentity identity;
  identity.train = train_spec_from_json(mine().normalised.at("train")).value();
  identity.data.train_samples = 50'000;
  identity.data.validation_samples = 5'000;
  identity.data.test_samples = 10'000;
  identity.data.classes = 10;
  return identity;
}

TEST(RangeTestPlan, ReadsTheCurvesOutOfTheResults) {
  const CampaignResults results =
      results_of({{0.1, 0.3, 0.5}, {0.1, 0.8, 0.9}, {0.1, 0.8, 0.9}, {}});
  const RangeReport report = range_report(mine(), settings(), results, identity()).value();
  ASSERT_EQ(report.curves.size(), 4u);  // two lengths, two seeds
  EXPECT_EQ(report.curves[0].iterations, 500);
  EXPECT_THAT(report.curves[0].accuracy, ElementsAre(0.3, 0.8, 0.8, std::nullopt));
  EXPECT_EQ(report.curves[3].iterations, 1000);
  EXPECT_THAT(report.curves[3].accuracy, ElementsAre(0.5, 0.9, 0.9, std::nullopt));
  EXPECT_EQ(report.range.lower.rate, 0.01);
  EXPECT_EQ(report.range.upper.rate, 0.1);
  EXPECT_EQ(report.run_iterations, 4000);
  ASSERT_TRUE(report.estimate) << range_text(report, {});
  EXPECT_EQ(report.estimate->k0, 0.01);
  EXPECT_EQ(report.estimate->k1, 0.1);
  const std::string text = range_text(report, {});
  EXPECT_THAT(text, HasSubstr("lower bound: 0.01"));
  EXPECT_THAT(text, HasSubstr("9 % of [0, 1] is left"));
  const Chart chart = range_chart(report);
  ASSERT_EQ(chart.series.size(), 3u);
  ASSERT_TRUE(chart.band);
  EXPECT_EQ(chart.band->low, 0.01);
  EXPECT_EQ(chart.band->high, 0.1);
  EXPECT_THAT(chart.series[1].y, ElementsAre(0.5, 0.9, 0.9, testing::IsNan()));
  EXPECT_THAT(chart.series[2].x, ElementsAre(1, 1)) << "diverged, with both lengths";
  EXPECT_EQ(to_json(report).at("upper").at("rate"), 0.1);
}

TEST(RangeTestPlan, SaysWhyABoundCannotBeTold) {
  const CampaignResults rising =
      results_of({{0.1, 0.3, 0.5}, {0.1, 0.5, 0.7}, {0.1, 0.8, 0.85}, {0.1, 0.8, 0.9}});
  const RangeReport report = range_report(mine(), settings(), rising, identity()).value();
  EXPECT_FALSE(report.estimate);
  EXPECT_THAT(range_text(report, {}), HasSubstr("upper bound: cannot tell"));
  EXPECT_EQ(to_json(report).at("upper").at("why"), "outside_grid");
}

RangeTestSettings ramp_settings() {
  RangeTestSettings settings{.low = 0.001, .high = 1, .rates = 4, .epochs = {}, .seeds = 2};
  settings.iterations = {398};
  settings.ramp = true;
  return settings;
}

TEST(RampPlan, OneRunASeedClimbsThroughTheGrid) {
  const Experiment first = ramp_experiment(mine(), ramp_settings(), 0).value();
  EXPECT_EQ(first.name, "mine-ramp");
  EXPECT_EQ(first.length.iterations, 400) << "four whole stairs";
  EXPECT_EQ(first.evaluate_every.iterations, 100);
  EXPECT_EQ(first.seed, 7u);
  EXPECT_EQ(ramp_experiment(mine(), ramp_settings(), 1)->seed, 8u);
  ASSERT_EQ(first.policies.size(), 1u);
  const Policy policy = policy_from_json(first.policies[0].tree, {}).value();
  for (const auto& [t, rate] : {std::pair(0, 0.001), {99, 0.001}, {100, 0.01}, {399, 1.0}})
    EXPECT_NEAR(learning_rate(policy, t) / rate, 1, 1e-12) << t;
  RangeTestSettings in_epochs = ramp_settings();
  in_epochs.iterations.clear();
  in_epochs.epochs = {2};
  const Experiment longer = ramp_experiment(mine(), in_epochs, 0).value();
  EXPECT_EQ(longer.length.epochs, 2);
  EXPECT_EQ(longer.evaluate_every.epochs, 0.5);
  EXPECT_EQ(longer.policies[0].tree.at("l"), "0.5 epochs");
  in_epochs.epochs = {1, 2};
  EXPECT_THAT(ramp_experiment(mine(), in_epochs, 0).error().message, HasSubstr("has one length"));
  RangeTestSettings short_one = ramp_settings();
  short_one.iterations = {3};
  EXPECT_THAT(ramp_experiment(mine(), short_one, 0).error().message,
              HasSubstr("a ramp over 4 rates has at least as many iterations, not 3"));
}

// One seed's ramp, with these accuracies at the ends of its stairs; then it diverged.
CampaignResults climbed(const std::vector<double>& top1) {
  const Experiment ramp = ramp_experiment(mine(), ramp_settings(), 0).value();
  PolicyResult policy;
  policy.search.trial.policy = policy_from_json(ramp.policies[0].tree, {}).value();
  policy.search.trial.plan.iterations = 400;
  policy.search.trial.plan.evaluate_every = 100;
  policy.search.points.resize(top1.size() + 1);  // the first one: before training
  for (std::size_t i = 0; i < top1.size(); ++i) {
    policy.search.points[i + 1].iteration = 100 * (static_cast<std::int64_t>(i) + 1);
    policy.search.points[i + 1].evaluated.top1 = top1[i];
  }
  CampaignResults results;
  results.policies.push_back(policy);
  return results;
}

// The rise is 0.8: it has begun with 0.3, at 0.01, and the band ends above 0.82, at 0.1.
TEST(RampPlan, ReadsTheCurvesOutOfTheResults) {
  const std::vector<CampaignResults> results = {climbed({0.12, 0.3, 0.9}),
                                                climbed({0.1, 0.3, 0.9})};
  const RangeReport report = ramp_report(mine(), results, identity()).value();
  ASSERT_EQ(report.curves.size(), 2u);
  EXPECT_THAT(report.curves[0].accuracy, ElementsAre(0.12, 0.3, 0.9, std::nullopt));
  EXPECT_EQ(report.curves[1].repeat, 1u);
  EXPECT_NEAR(report.range.lower.rate, 0.01, 1e-12);
  EXPECT_NEAR(report.range.upper.rate, 0.1, 1e-12);
  EXPECT_TRUE(report.estimate);
  EXPECT_EQ(to_json(report).at("method"), "ramp");
  EXPECT_THAT(range_text(report, {}), HasSubstr("a growing rate over 2 seeds, in 400 iterations"));
  EXPECT_EQ(range_chart(report).series.size(), 2u) << "one diverged";
}

// A store with one campaign: the range test of `experiment`, whose runs with every seed end with
// the accuracy of their rate; 0: the run diverged.
StoredState tested(const Experiment& experiment, const std::vector<double>& top1) {
  const Experiment test = range_test_experiment(experiment, settings()).value();
  StoredState stored;
  CampaignRecord campaign;
  campaign.id = CampaignId{1};
  campaign.name = test.name;
  campaign.hash = test.hash;
  campaign.experiment = test.normalised;
  campaign.state = CampaignState::kDone;
  stored.campaigns.push_back(campaign);
  stored.identities.push_back({{}, identity()});
  const std::vector<double> rates = rate_grid(settings());
  for (std::size_t i = 0; i < 2 * rates.size(); ++i) {
    const std::size_t rate = i % rates.size();
    const bool repeats = i >= rates.size();
    const auto id = static_cast<std::int64_t>(i) + 1;
    TrialRecord trial;
    trial.id = TrialId{id};
    trial.campaign = campaign.id;
    trial.number = id - 1;
    trial.job = JobId{id};
    trial.plan.iterations = 1000;
    trial.plan.evaluate_every = 500;
    trial.policy.segments = {{{.kind = LrFunctionKind::kFix, .k0 = rates[rate]}}};
    trial.state = top1[rate] > 0 ? TrialState::kDone : TrialState::kDiverged;
    if (repeats) {
      trial.phase = TrialPhase::kVerify;
      trial.verifies = TrialId{static_cast<std::int64_t>(rate) + 1};
      trial.repeat = 1;
    }
    stored.trials.push_back(trial);
    JobRecord job;
    job.id = trial.job;
    job.attempt = 1;
    job.state = top1[rate] > 0 ? JobState::kDone : JobState::kDiverged;
    const OutcomeKind kind = top1[rate] > 0 ? OutcomeKind::kCompleted : OutcomeKind::kDiverged;
    job.outcome = Outcome{kind, 1000, {}, ""};
    stored.jobs.push_back(job);
    PointRecord point;
    point.job = job.id;
    point.attempt = 1;
    point.point.iteration = 1000;
    point.point.evaluated.top1 = top1[rate];
    stored.points.push_back(point);
  }
  return stored;
}

TEST(RangeTestPlan, KnowsAnExperimentThatItMade) {
  RangeTestSettings once = settings();
  once.epochs = {2};
  once.seeds = 1;
  RangeTestSettings exact = settings();
  exact.epochs.clear();
  exact.iterations = {50, 100, 200};
  for (const RangeTestSettings& made : {settings(), once, exact}) {
    const Experiment test = range_test_experiment(mine(), made).value();
    const auto found = range_test_settings(test);
    ASSERT_TRUE(found);
    EXPECT_EQ(rate_grid(*found), rate_grid(made));
    EXPECT_EQ(found->seeds, made.seeds);
    EXPECT_EQ(range_test_experiment(mine(), *found)->hash, test.hash);
  }
  EXPECT_FALSE(range_test_settings(mine()));
}

TEST(StoredRange, IsTheOneOfTheNewestRangeTestOfTheSameTraining) {
  StoredState stored = tested(mine(), {0.3, 0.9, 0.9, 0});
  const auto found = stored_range(stored, mine(), "");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->found.lower, 0.01);
  EXPECT_EQ(found->found.upper, 0.1);
  // mine() runs for one cycle: 0.1 becomes 0.01 within it.
  const auto run = run_plan_of(mine(), identity().train, identity().data);
  EXPECT_EQ(found->found.half_cycle, run->iterations / 2);
  EXPECT_NEAR(std::pow(found->found.gamma, run->iterations), 0.1, 1e-3);
  EXPECT_EQ(found->campaign, CampaignId{1});
  EXPECT_EQ(found->name, "mine-range-test");
  const std::string none =
      "the store has no range test of this training; run `lrtune range-test x.yaml` first";
  const std::string command = "lrtune range-test x.yaml";
  EXPECT_EQ(stored_range(stored, mine("50"), command).error().message, none) << "another batch";
  EXPECT_THAT(stored_range(stored, mine("[100, 200]"), command).error().message,
              HasSubstr("train holds domains"));
  stored.campaigns.front().state = CampaignState::kSearching;
  EXPECT_EQ(stored_range(stored, mine(), command).error().message, none) << "not done";
  EXPECT_EQ(stored_range({}, mine(), command).error().message, none);
}

TEST(StoredRange, AllOfAStoreAreListed) {
  StoredState stored = tested(mine(), {0.3, 0.9, 0.9, 0});
  const auto ranges = measured_ranges(stored);
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].campaign, CampaignId{1});
  EXPECT_EQ(ranges[0].name, "mine-range-test");
  EXPECT_EQ(ranges[0].train.dataset.name, identity().train.dataset.name);
  EXPECT_NEAR(ranges[0].range.lower.rate, 0.01, 1e-9);
  EXPECT_NEAR(ranges[0].range.upper.rate, 0.1, 1e-9);
  stored.campaigns.front().state = CampaignState::kSearching;
  EXPECT_THAT(measured_ranges(stored), IsEmpty()) << "not done";
}

TEST(StoredRange, ANewerOneThatCannotTellHidesNoOlderOne) {
  StoredState stored = tested(mine(), {0.3, 0.9, 0.9, 0});
  RangeTestSettings once = settings();
  once.seeds = 1;
  const Experiment newer = range_test_experiment(mine(), once).value();
  CampaignRecord campaign = stored.campaigns.front();
  campaign.id = CampaignId{2};
  campaign.hash = newer.hash;
  campaign.experiment = newer.normalised;
  stored.campaigns.push_back(campaign);  // without a trial
  const auto found = stored_range(stored, mine(), "");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->campaign, CampaignId{1});
}

TEST(StoredRange, SaysWhyTheNewestCannotTell) {
  const StoredState stored = tested(mine(), {0.3, 0.9, 0.9, 0.9});
  EXPECT_EQ(stored_range(stored, mine(), "").error().message,
            "the range test mine-range-test (campaign 1) cannot tell the upper bound: it is at the "
            "end of the grid or beyond: --low or --high must go further");
}

}  // namespace
}  // namespace lrtune

// `lrtune range-test`: the campaign that it makes and what it reads out of the results.
#include "coordinator/cli/range_test_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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
  EXPECT_THAT(refusal(wrong), HasSubstr("--low and --high must be rates with 0 < low < high"));
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
  EXPECT_EQ(range_chart(report).series.size(), 2u);
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

}  // namespace
}  // namespace lrtune

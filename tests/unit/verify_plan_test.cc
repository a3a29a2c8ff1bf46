// `lrtune verify`: the campaigns of its phases and the verdict that their results give.
#include "coordinator/methods/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/policy/policy_json.h"
#include "coordinator/cli/target_argument.h"
#include "coordinator/methods/generation.h"

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Experiment mine(const std::string& run = "{iterations: 700, evaluate: {every: 100}}",
                const std::string& dataset = "mnist") {
  return experiment_from_yaml(R"(
name: mine
train:
  dataset: {name: )" + dataset + R"(}
  model: lenet
  optimizer: {name: sgd}
  batch: 100
run: )" + run + R"(
seed: 7
search: {method: list, policies: [{function: fix, k0: 0.01}]}
tolerance: {top: 1}
)",
                              "mine.yaml")
      .value();
}

Policy fix(double k0) { return Policy{{{{.kind = LrFunctionKind::kFix, .k0 = k0}}}}; }

std::vector<Policy> just(double k0) { return {fix(k0)}; }

VerifySettings settings() { return {.target = {Measure::kTop1, 0.9}}; }

TEST(VerifyPlan, ReadsTargets) {
  EXPECT_EQ(target_from_text("top1=0.991").value(), (Target{Measure::kTop1, 0.991}));
  EXPECT_EQ(target_from_text("loss=0.1").value(), (Target{Measure::kLoss, 0.1}));
  for (const char* wrong : {"", "top1", "top1=", "top1=x", "top1=0.9x", "top5=0.9", "top1=2"})
    EXPECT_FALSE(target_from_text(wrong)) << wrong;
}

TEST(VerifyPlan, MakesTheCampaignsOfThePhases) {
  const std::vector<nlohmann::json> policies = {to_json(fix(0.1)), to_json(fix(0.2))};
  const Experiment first = trial_experiment(mine(), policies, settings()).value();
  EXPECT_EQ(first.name, "mine-verify");
  EXPECT_EQ(first.policies.size(), 2u);
  EXPECT_EQ(first.target->value, 0.9);
  EXPECT_EQ(first.verify_top, 0);
  EXPECT_EQ(first.tolerance_top, 0);
  const Experiment second =
      comparison_experiment(mine(), policies[0], {&policies[1], 1}, settings()).value();
  EXPECT_EQ(second.policies.size(), 2u);
  EXPECT_EQ(second.verify_top, 4);  // the policy and the three best of the others
  EXPECT_EQ(second.verify_repeats, 2);
  const std::vector<nlohmann::json> wrong = {{{"function", "fixed"}}};
  const auto refused = trial_experiment(mine(), wrong, settings());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("fixed"));
}

TEST(VerifyPlan, MeasuresMoptOfWhatIsJudgedAlone) {
  const std::vector<nlohmann::json> policies = {to_json(fix(0.1))};
  const auto measured = [&](const Experiment& experiment, bool m_opt) {
    VerifySettings with = settings();
    with.m_opt = m_opt;
    return trial_experiment(experiment, policies, with).value().m_opt_every;
  };
  EXPECT_EQ(measured(mine(), true), (RunLength{7, 0}));
  EXPECT_EQ(measured(mine(), false), RunLength{});
  const Experiment own = mine("{iterations: 700, m_opt: {every: 50}}");
  EXPECT_EQ(measured(own, true), (RunLength{50, 0}));
  EXPECT_EQ(measured(own, false), RunLength{});
  EXPECT_EQ(comparison_experiment(mine(), policies[0], {}, settings())->m_opt_every, RunLength{})
      << "as stored policies were trained";
  EXPECT_EQ(generation_experiment(mine(), policies[0], {}, settings())->m_opt_every,
            (RunLength{7, 0}))
      << "as the policy was";
}

TEST(VerifyPlan, MoptIsMeasuredAHundredTimesOrEvery250Iterations) {
  EXPECT_EQ(m_opt_interval(mine("{iterations: 70000}")), 250);
  EXPECT_EQ(m_opt_interval(mine("{iterations: 100}")), 3);
  // 54,000 of 60,000 samples are left to train on: 540 iterations an epoch.
  EXPECT_EQ(m_opt_interval(mine("{epochs: 8}")), 43);
  EXPECT_EQ(m_opt_interval(mine("{epochs: 8}", "imagefolder")), 250) << "of any size";
  EXPECT_EQ(m_opt_interval(mine("{iterations: 800}", "imagefolder")), 8);
  // At most 500 values between two evaluations.
  EXPECT_EQ(m_opt_interval(mine("{iterations: 1000000, evaluate: {every: 1000000}}")), 2001);
}

TEST(VerifyPlan, TheScheduleOfMoptIsACandidate) {
  std::vector<MoptValue> series;
  for (std::int64_t t = 1; t < 60; t += 10) series.push_back({t, 0.1, t < 30 ? 0.2 : 0.0123456});
  const auto candidate = m_opt_candidate(series);
  ASSERT_TRUE(candidate);
  EXPECT_EQ(*candidate, nlohmann::json::parse(R"({"name": "M-opt", "segments": [
      {"function": "fix", "k0": 0.2, "until": 30}, {"function": "fix", "k0": 0.0123}]})"));
  EXPECT_TRUE(trial_experiment(mine(), {&*candidate, 1}, settings()));
  series.resize(2);
  EXPECT_FALSE(m_opt_candidate(series)) << "two values recommend nothing";
}

TEST(VerifyPlan, TheVerdictSaysHowTheRatesAgreeWithMopt) {
  Judgement judgement;
  judgement.policy = to_json(fix(0.1));
  EXPECT_TRUE(to_json(judgement, settings()).at("m_opt").is_null());
  judgement.m_opt = {{1, 0.1, 0.01}, {8, 0.1, 0.01}, {15, 0.1, 0.01}};
  const nlohmann::json m_opt = to_json(judgement, settings()).at("m_opt");
  EXPECT_NEAR(m_opt.at("agreement").at("mean_log10").get<double>(), 1, 1e-12);
  EXPECT_EQ(m_opt.at("recommended").at("function"), "fix");
  EXPECT_THAT(verdict_text(judgement, settings()),
              HasSubstr("applied / M-opt 10 in the median\nM-opt recommends instead:"));
}

TEST(VerifyPlan, GeneratedPoliciesAreWithinTheRangeAndAlwaysTheSame) {
  const ParameterEstimate estimate = estimate_parameters(0.01, 0.1, 700, 100);
  const auto policies = generated_policies(estimate, 700, 7, 12);
  ASSERT_EQ(policies.size(), 12u);
  EXPECT_EQ(policies, generated_policies(estimate, 700, 7, 12));
  EXPECT_NE(policies, generated_policies(estimate, 700, 8, 12));
  const Experiment all = trial_experiment(mine(), policies, settings()).value();
  EXPECT_EQ(all.policies.size(), 12u);
  // The composite of the paper's form: six sevenths high, then a tenth, then a hundredth.
  const auto& segments = policies[0].at("segments");
  EXPECT_EQ(segments[0].at("until"), 600);
  EXPECT_EQ(segments[1].at("until"), 650);
  EXPECT_NEAR(segments[2].at("k1").get<double>(), 0.001, 1e-9);
  for (std::size_t i = 1; i < policies.size(); ++i) {
    EXPECT_GE(policies[i].at("k0").get<double>(), 0.00999) << policies[i];
    EXPECT_LE(policies[i].at("k0").get<double>(), 0.1001) << policies[i];
    EXPECT_LE(policies[i].value("k1", 0.05), 0.1001) << policies[i];
  }
}

PolicyEntry entry(std::int64_t id, const std::string& dataset, const std::string& model, double k0,
                  double top1) {
  PolicyEntry one;
  one.id = id;
  one.policy = fix(k0);
  one.description = describe(one.policy);
  one.train.dataset.name = dataset;
  one.train.model.name = model;
  PolicyRun run;
  run.scores.ended_well = run.scores.measured = true;
  run.scores.best.evaluated.top1 = top1;
  if (top1 >= settings().target.value) run.scores.target_iteration = 500;
  one.plan.evaluate_on = Part::kValidation;
  one.runs = {run};
  return one;
}

RivalSearch rivals_of_mine() {
  return {.dataset = "mnist",
          .model = "lenet",
          .optimizer = "sgd",
          .evaluated_on = Part::kValidation,
          .target = settings().target,
          .iterations = 700};
}

TEST(VerifyPlan, RivalsMetTheTargetOnTheSameDataOrNetwork) {
  const std::vector<PolicyEntry> entries = {
      entry(1, "cifar10", "lenet", 0.1, 0.99),  // the same network
      entry(2, "mnist", "mlp", 0.2, 0.95),      // the same data
      entry(3, "mnist", "lenet", 0.3, 0.91),    // both
      entry(4, "mnist", "lenet", 0.4, 0.92),    // both, and better
      entry(5, "mnist", "lenet", 0.5, 0.89),    // misses the target
      entry(6, "cifar10", "cnn3", 0.6, 0.99),   // neither
      entry(7, "mnist", "lenet", 0.01, 0.99)};  // the policy itself
  std::vector<double> rates;
  for (const Rival& rival : rivals(entries, rivals_of_mine(), just(0.01), 3))
    rates.push_back(rival.policy.at("k0").get<double>());
  EXPECT_THAT(rates, ElementsAre(0.4, 0.3, 0.2));
  RivalSearch other = rivals_of_mine();
  other.dataset = "svhn";
  other.model = "vgg";
  EXPECT_THAT(rivals(entries, other, just(0.01), 3), IsEmpty());
}

// Policies that had met the target in longer runs were compared, and one that missed it replaced
// the policy.
TEST(VerifyPlan, RivalsMetTheTargetAsThePolicyMust) {
  std::vector<PolicyEntry> entries = {entry(1, "mnist", "lenet", 0.1, 0.99)};
  EXPECT_EQ(rivals(entries, rivals_of_mine(), just(0.01), 3).size(), 1u);
  entries[0].runs[0].scores.target_iteration = 701;
  EXPECT_THAT(rivals(entries, rivals_of_mine(), just(0.01), 3), IsEmpty()) << "too late";
  entries[0] = entry(1, "mnist", "lenet", 0.1, 0.99);
  entries[0].train.optimizer.name = "adam";
  EXPECT_THAT(rivals(entries, rivals_of_mine(), just(0.01), 3), IsEmpty()) << "other rates";
  entries[0] = entry(1, "mnist", "lenet", 0.1, 0.99);
  entries[0].plan.evaluate_on = Part::kTest;
  EXPECT_THAT(rivals(entries, rivals_of_mine(), just(0.01), 3), IsEmpty()) << "other samples";
  entries[0] = entry(1, "mnist", "lenet", 0.1, 0.99);
  entries[0].policy.plateau = Plateau{};
  EXPECT_THAT(rivals(entries, rivals_of_mine(), just(0.01), 3), IsEmpty())
      << "its schedules stand beside it";
}

// Regression: the constraint of seconds was not asked of those that it was compared with.
TEST(VerifyPlan, RivalsMetTheTargetWithinTheSeconds) {
  std::vector<PolicyEntry> entries = {entry(1, "mnist", "lenet", 0.1, 0.99)};
  entries[0].runs[0].scores.target_seconds = 2;
  RivalSearch search = rivals_of_mine();
  search.max_seconds = 2;
  EXPECT_EQ(rivals(entries, search, just(0.01), 3).size(), 1u);
  search.max_seconds = 1.9;
  EXPECT_THAT(rivals(entries, search, just(0.01), 3), IsEmpty());
}

// Regression: what a verification had trained itself was stored, and the same command again ended
// in another phase.
TEST(VerifyPlan, RivalsAreNoneOfWhatTheVerificationTrainedItself) {
  StoredState stored;
  const auto add = [&](std::int64_t id, const std::string& name, double first) {
    CampaignRecord campaign;
    campaign.id.value = id;
    campaign.name = name;
    stored.campaigns.push_back(campaign);
    TrialRecord trial;
    trial.id.value = id;
    trial.campaign = campaign.id;
    trial.policy = fix(first);
    stored.trials.push_back(trial);
  };
  add(1, "mine-generate", 0.01);
  add(2, "mine-compare", 0.01);
  add(3, "mine-compare", 0.02);  // another policy's
  add(4, "mine-range-test", 0.1);
  add(5, "mine-verify", 0.01);
  add(6, "other-generate", 0.01);
  const std::vector<Policy> judged = {fix(0.03), fix(0.01)};
  EXPECT_THAT(own_campaigns(stored, mine(), CampaignId{5}, judged),
              ElementsAre(CampaignId{1}, CampaignId{2}, CampaignId{4}, CampaignId{5}));

  std::vector<PolicyEntry> entries = {entry(1, "mnist", "lenet", 0.1, 0.99)};
  entries[0].runs[0].campaign = CampaignId{1};
  RivalSearch search = rivals_of_mine();
  search.made_by_itself = {CampaignId{1}};
  EXPECT_THAT(rivals(entries, search, just(0.01), 3), IsEmpty());
  entries[0].runs.push_back(entries[0].runs[0]);
  entries[0].runs[1].campaign = CampaignId{7};
  entries[0].runs[1].scores.best.evaluated.top1 = 0.95;
  const auto found = rivals(entries, search, just(0.01), 3);
  ASSERT_EQ(found.size(), 1u) << "somebody else's run of it";
  EXPECT_EQ(found[0].value, 0.95);
}

TEST(VerifyPlan, RivalsByLossAreTheLowestFirst) {
  std::vector<PolicyEntry> entries = {entry(1, "mnist", "lenet", 0.1, 0.99),
                                      entry(2, "mnist", "lenet", 0.2, 0.98)};
  entries[0].runs[0].scores.lowest_loss.evaluated.loss = 0.3;
  entries[1].runs[0].scores.lowest_loss.evaluated.loss = 0.2;
  RivalSearch by_loss = rivals_of_mine();
  by_loss.target = {Measure::kLoss, 0.4};
  const auto found = rivals(entries, by_loss, just(0.01), 3);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].policy.at("k0"), 0.2);
  EXPECT_EQ(found[0].value, 0.2);
}

TEST(VerifyPlan, PublishedPoliciesFillThePlacesThatTheStoreLeaves) {
  RivalSearch search = rivals_of_mine();
  search.optimizer = "momentum";
  search.target = {Measure::kTop1, 0.9925};
  search.iterations = 10000;
  const auto content = published_content();
  ASSERT_TRUE(content) << content.error().message;
  const auto found = published_rivals(content->policies, search, fix(0.01), 3);
  ASSERT_EQ(found.size(), 3u);  // SIN2 99.33, COS 99.32, SIN 99.31
  EXPECT_EQ(found[0].policy.at("function"), "sin2");
  EXPECT_EQ(found[0].policy.at("name"), "published, Tables 4 and 11");
  EXPECT_EQ(found[1].policy.at("function"), "cos");
  EXPECT_EQ(found[2].policy.at("function"), "sin");
  search.iterations = 5000;
  EXPECT_EQ(published_rivals(content->policies, search, fix(0.01), 5)[1].policy.at("function"),
            "sin")
      << "COS got there after 10,000 iterations";
  search.target = {Measure::kLoss, 0.1};
  EXPECT_THAT(published_rivals(content->policies, search, fix(0.01), 3), IsEmpty());
}

// Policies with the means and repeats given, best first as a ranking would have them.
CampaignResults compared(const std::vector<std::pair<double, std::vector<double>>>& policies) {
  CampaignResults results;
  for (const auto& [k0, values] : policies) {
    PolicyResult one;
    one.search.trial.policy = fix(k0);
    one.search.scores.ended_well = one.search.scores.measured = true;
    std::vector<Scores> scores;
    for (const double value : values) {
      TrialResult repeat;
      repeat.scores.ended_well = repeat.scores.measured = true;
      repeat.scores.best.evaluated.top1 = value;
      scores.push_back(repeat.scores);
      one.repeats.push_back(repeat);
    }
    one.verified = combine(scores, RankAt::kBest);
    results.verified.push_back(results.policies.size());
    results.policies.push_back(one);
  }
  return results;
}

TEST(VerifyPlan, APolicyThatIsBeatenIsReplacedByTheBest) {
  Judgement judgement;
  judgement.policy = to_json(fix(0.1));
  EXPECT_TRUE(judge(judgement, 2, fix(0.1), compared({{0.2, {0.95, 0.96}}, {0.1, {0.9, 0.91}}}),
                    settings().target));
  EXPECT_EQ(judgement.verdict, Verdict::kReplaced);
  EXPECT_EQ(judgement.replacement, to_json(fix(0.2)));
  const nlohmann::json settled = judgement.phases.back().at("settled");
  EXPECT_NEAR(settled.at("difference").get<double>(), 0.05, 1e-12);
  EXPECT_THAT(verdict_text(judgement, settings()), HasSubstr("Verdict: replaced, in phase 2."));
  EXPECT_EQ(to_json(judgement, settings()).at("verdict"), "replaced");
}

TEST(VerifyPlan, APolicyThatNothingBeatsStaysTheBest) {
  Judgement judgement;
  EXPECT_FALSE(judge(judgement, 3, fix(0.2), compared({{0.2, {0.95, 0.96}}, {0.1, {0.9, 0.9}}}),
                     settings().target));
  EXPECT_EQ(judgement.verdict, Verdict::kBest);
  EXPECT_FALSE(judgement.replacement);
  EXPECT_THAT(verdict_text(judgement, settings()), HasSubstr("though it misses top1 0.9"));
}

TEST(VerifyPlan, AReplacementThatMissesTheTargetSaysSo) {
  Judgement judgement;
  EXPECT_TRUE(judge(judgement, 2, fix(0.1), compared({{0.2, {0.85, 0.86}}, {0.1, {0.8, 0.81}}}),
                    settings().target));
  EXPECT_FALSE(judgement.replacement_meets);
  EXPECT_THAT(verdict_text(judgement, settings()),
              HasSubstr("The better policy, which misses top1 0.9 too:\n"));
  EXPECT_EQ(to_json(judgement, settings()).at("replacement_meets_target"), false);
  EXPECT_TRUE(judge(judgement, 3, fix(0.1), compared({{0.2, {0.95, 0.86}}, {0.1, {0.8, 0.81}}}),
                    settings().target));
  EXPECT_TRUE(judgement.replacement_meets) << "by the mean";
}

// One seed of two had diverged, and the mean of the other stood as that of both.
TEST(VerifyPlan, SeedsThatDidNotEndWellAreNamed) {
  CampaignResults results = compared({{0.2, {0.95, 0.96}}, {0.1, {0.9, 0.91}}});
  results.policies[0].repeats[1].scores.ended_well = false;
  const std::vector<Scores> scores = {results.policies[0].repeats[0].scores,
                                      results.policies[0].repeats[1].scores};
  results.policies[0].verified = combine(scores, RankAt::kBest);
  Judgement judgement;
  judge(judgement, 2, fix(0.1), results, settings().target);
  EXPECT_THAT(verdict_text(judgement, settings()),
              HasSubstr("top-1 0.9500 over 1 of 2 new seeds; 1 did not end well\n"));
}

TEST(VerifyPlan, AVerdictAboutLossHasLosses) {
  CampaignResults results = compared({{0.2, {0.95, 0.96}}, {0.1, {0.9, 0.91}}});
  for (PolicyResult& policy : results.policies) {
    std::vector<Scores> scores;
    for (TrialResult& repeat : policy.repeats) {
      repeat.scores.lowest_loss.evaluated.loss = 1 - repeat.scores.best.evaluated.top1;
      scores.push_back(repeat.scores);
    }
    policy.verified = combine(scores, RankAt::kBest);
  }
  VerifySettings by_loss = settings();
  by_loss.target = {Measure::kLoss, 0.06};
  Judgement judgement;
  judge(judgement, 2, fix(0.1), results, by_loss.target);
  EXPECT_TRUE(judgement.replacement_meets);
  const std::string text = verdict_text(judgement, by_loss);
  EXPECT_THAT(text, HasSubstr("loss 0.0450 ± 0.0071 over 2 new seeds\n"));
  EXPECT_THAT(text, HasSubstr("the best two differ by -0.0500"));
}

TEST(VerifyPlan, ARangeThatCannotBeToldIsTakenAroundTheBestRate) {
  RangeReport report;
  report.rates = {0.01, 0.1, 1};
  report.chance = 0.1;
  report.run_iterations = 700;
  report.curves = {{0, 70, {0.2, 0.5, std::nullopt}}};
  const auto estimate = estimate_of(report);
  ASSERT_TRUE(estimate);
  EXPECT_NEAR(estimate->k0, 0.1 / std::sqrt(10.0), 1e-12);
  EXPECT_NEAR(estimate->k1, 0.1 * std::sqrt(10.0), 1e-12);
  report.curves = {{0, 70, {0.1, 0.12, std::nullopt}}};
  EXPECT_FALSE(estimate_of(report)) << "chance is no learning";
}

}  // namespace
}  // namespace lrtune

// `lrtune compose`: the campaigns that it takes, and what their results say of the composite.
#include "coordinator/methods/compose_plan.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/methods/composition.h"
#include "coordinator/methods/generation.h"
#include "coordinator/search/search.h"

namespace lrtune {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

Experiment mine(const std::string& run = "{iterations: 900, evaluate: {every: 100}}",
                const std::string& more = "", const std::string& dataset = "mnist") {
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
)" + more,
                              "mine.yaml")
      .value();
}

// 0.01 to 0.1, half cycles of 200 to 400 iterations.
ComposeRange range(std::int64_t iterations = 900) {
  return {estimate_parameters(0.01, 0.1, iterations, 100), iterations, "a test", {}};
}

json search_of(const ComposeSettings& settings, const ComposeRange& with = range()) {
  const auto made = composing_experiment(
      mine(fmt::format("{{iterations: {}, evaluate: {{every: 10}}}}", with.iterations)), settings,
      with);
  return made ? made->normalised.at("search") : json(made.error().message);
}

LrFunction fix(double k0) { return {.kind = LrFunctionKind::kFix, .k0 = k0}; }
Policy alone(double k0) { return Policy{{{fix(k0)}}}; }
Policy two(double first, double second) { return Policy{{{fix(first), 300}, {fix(second)}}}; }

TEST(ComposePlan, ATreeTriesEachFunctionAtThreeHeightsOfTheRange) {
  const Experiment made = composing_experiment(mine(), {}, range()).value();
  EXPECT_EQ(made.name, "mine-compose");
  EXPECT_EQ(made.method, SearchMethod::kTree);
  EXPECT_EQ(made.keep, 2);
  EXPECT_EQ(made.tries, 8);
  const json search = made.normalised.at("search");
  EXPECT_EQ(search.at("boundaries"), json({300, 600}));
  ASSERT_EQ(search.at("policies").size(), 12u);  // four functions at three heights
  std::vector<double> lowest, highest;
  for (const json& one : search.at("policies")) {
    if (one.at("function") != "tri") continue;
    lowest.push_back(one.at("k0").get<double>());
    highest.push_back(one.at("k1").at("log").at(1).get<double>());
    // A half cycle fits a segment of 300 iterations twice.
    EXPECT_EQ(one.at("l"), 150);
  }
  EXPECT_THAT(lowest, ElementsAre(0.01, 0.001, 0.0001));
  EXPECT_THAT(highest, ElementsAre(0.1, 0.01, 0.001));
}

TEST(ComposePlan, OneFunctionMakesAHomogeneousComposite) {
  const json search = search_of({.functions = {"sinexp"}, .segments = 2, .keep = 1});
  EXPECT_EQ(search.at("boundaries"), json({450}));
  ASSERT_EQ(search.at("policies").size(), 3u);
  for (const json& one : search.at("policies")) EXPECT_EQ(one.at("function"), "sinexp");
}

TEST(ComposePlan, EveryFunctionThatIsOfferedMakesASearch) {
  for (const ComposeMethod method :
       {ComposeMethod::kTree, ComposeMethod::kDynamic, ComposeMethod::kPlateau}) {
    for (const char* name : {"fix", "step", "exp", "inv", "poly", "tri", "tri2", "triexp", "sin",
                             "sin2", "sinexp", "cos", "cos2", "cosexp"}) {
      const json search = search_of({.method = method, .functions = {name}});
      EXPECT_TRUE(search.is_object()) << name << ": " << search;
    }
  }
}

TEST(ComposePlan, BoundariesAreAsTheyAreGiven) {
  EXPECT_EQ(search_of({.boundaries = {600, 800}}).at("boundaries"), json({600, 800}));
  const auto error = [](const ComposeSettings& settings) {
    const auto good = check_settings(mine(), settings);
    return good ? std::string() : good.error().message;
  };
  EXPECT_EQ(error({.boundaries = {600, 600}}), "--boundaries: must be above 0 and ascending");
  EXPECT_EQ(error({.boundaries = {0, 600}}), "--boundaries: must be above 0 and ascending");
  EXPECT_EQ(error({.boundaries = {600, 900}}),
            "--boundaries: must lie below the run's 900 iterations");
  EXPECT_EQ(error({.boundaries = {600, 899}}), "");
}

TEST(ComposePlan, DynamicTuningChoosesEveryMIterations) {
  const json search = search_of({.method = ComposeMethod::kDynamic});
  EXPECT_EQ(search.at("boundaries"), json({90, 180, 270, 360, 450, 540, 630, 720, 810}));
  EXPECT_EQ(search.at("keep"), 1);
  EXPECT_EQ(search_of({.method = ComposeMethod::kDynamic, .every = 450}).at("boundaries"),
            json({450}));
  const auto refused = check_settings(mine(), {.method = ComposeMethod::kDynamic, .every = 451});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("--every: must be at most half of the run's 900"));
}

TEST(ComposePlan, AControllersListFallsFromTheRangesTopToBelowIt) {
  const json search =
      search_of({.method = ComposeMethod::kPlateau, .functions = {"fix", "tri2"}, .tries = 5});
  ASSERT_EQ(search.at("policies").size(), 2u);
  const json& first = search.at("policies").at(0);
  EXPECT_EQ(first.at("controller"), "plateau");
  std::vector<double> rates;
  for (const json& one : first.at("functions")) rates.push_back(one.at("k0").get<double>());
  EXPECT_THAT(rates, ElementsAre(0.1, 0.01778, 0.003162, 0.0005623, 0.0001));
  EXPECT_EQ(first.at("start"), 1) << "0.0178 is nearest to 0.0316, the middle of the range";
  const json& cyclic = search.at("policies").at(1).at("functions").at(1);
  EXPECT_EQ(cyclic.at("k1"), 0.01778);
  EXPECT_EQ(cyclic.at("k0"), 0.001778) << "as wide as the range";
}

TEST(ComposePlan, WhatCannotBeComposedIsRefusedByItsName) {
  const auto error = [](const Experiment& experiment, const ComposeSettings& settings = {}) {
    const auto good = check_settings(experiment, settings);
    return good ? std::string() : good.error().message;
  };
  EXPECT_THAT(error(mine(), {.functions = {"nstep"}}),
              HasSubstr("--functions: 'nstep' is none of fix, step, exp"));
  EXPECT_EQ(error(mine(), {.functions = {"fix", "fix"}}), "--functions: 'fix' stands twice");
  EXPECT_EQ(error(mine("{iterations: 3}"), {.segments = 4}),
            "--segments: the run has 3 iterations, fewer than 4 segments");
  EXPECT_EQ(error(mine("{iterations: 900, target: {top1: 0.9}}", "rank: {by: cost}\n")), "");
  EXPECT_EQ(composed_by(mine("{iterations: 900, target: {top1: 0.9}}", "rank: {by: cost}\n")),
            RankBy::kTop1);
  EXPECT_EQ(composed_by(mine("{iterations: 900}", "rank: {by: loss}\n")), RankBy::kLoss);
  EXPECT_THAT(error(mine("{iterations: 900, max_seconds: 5}")), HasSubstr("run.max_seconds"));
}

// Regression: what came out wrong in the search was told after the range test was trained, by keys
// that nobody had written, or ended the program.
TEST(ComposePlan, WhatTheSearchWouldRefuseIsToldBeforeByItsOption) {
  const auto error = [](const ComposeSettings& settings,
                        const std::string& run = "{iterations: 9000}") {
    const auto good = check_settings(mine(run), settings);
    return good ? std::string() : good.error().message;
  };
  EXPECT_THAT(error({.method = ComposeMethod::kPlateau, .tries = 65}),
              HasSubstr("--method plateau, --tries: "));
  EXPECT_THAT(error({.tries = 10'000, .keep = 1000}), HasSubstr("--keep: "));
  EXPECT_THAT(error({.method = ComposeMethod::kDynamic, .every = 1, .tries = 2}),
              HasSubstr("--every: "));
  EXPECT_EQ(error({.method = ComposeMethod::kDynamic, .every = 1},
                  "{iterations: 2, evaluate: {every: 1}}"),
            "")
      << "half of it";
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {1e-310, 1}, {0.1, std::numeric_limits<double>::infinity()}, {1e300, 1e308}, {0.2, 0.1}})
    EXPECT_THAT(error({.low = low, .high = high}), HasSubstr("does not hold")) << low;
  EXPECT_EQ(error({.low = 0.1, .high = 0.1000001}), "") << "one rate, written in four digits";
  EXPECT_EQ(error({.low = 1e-12, .high = 1e6}), "");
}

CampaignResults results_of_none() { return {}; }

TEST(ComposePlan, RatesThatAreTheSameInFourDigitsAreOneRate) {
  EXPECT_EQ(rates_between(0.1, 0.100001), json(0.1));
  EXPECT_EQ(rates_between(0.1, 0.2), (json{{"log", {0.1, 0.2}}}));
  ComposeRange narrow = range();
  narrow.rates = estimate_parameters(0.10014, 0.1002, 900, 100);
  EXPECT_EQ(rivals_of(results_of_none(), {.singles = 5}, narrow, 7, {}).size(), 5u);
}

// Regression: a run in epochs was refused, since boundaries were in iterations.
TEST(ComposePlan, TheCampaignsOfARunInEpochsAreInIterations) {
  const Experiment epochs = mine("{epochs: 2}");
  for (const ComposeMethod method :
       {ComposeMethod::kTree, ComposeMethod::kDynamic, ComposeMethod::kPlateau}) {
    const auto made = composing_experiment(epochs, {.method = method}, range(1080));
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->length, (RunLength{1080, 0}));
  }
  EXPECT_EQ(composed_experiment(epochs, {}, 1080, alone(1), {})->length, (RunLength{1080, 0}));
}

TEST(ComposePlan, ARunInEpochsHasALengthWhereItsDataAreKnown) {
  // 54,000 of 60,000 samples are left to train on: 540 iterations an epoch.
  EXPECT_EQ(planned_iterations(mine("{epochs: 2}")), 1080);
  EXPECT_EQ(planned_iterations(mine("{epochs: 2}", "", "imagefolder")), std::nullopt);
  EXPECT_EQ(planned_iterations(mine("{iterations: 5}", "", "imagefolder")), 5);
}

// Policies as a campaign's results have them, best first, each with what its repeats reached.
struct Ran {
  Policy policy;
  std::int64_t iterations = 900;
  double top1 = 0.5;
  std::vector<double> repeats = {};
};

CampaignResults results_of(const std::vector<Ran>& runs) {
  CampaignResults results;
  for (const Ran& run : runs) {
    PolicyResult one;
    one.search.trial.policy = run.policy;
    one.search.trial.plan.iterations = run.iterations;
    one.search.scores.ended_well = one.search.scores.measured = true;
    one.search.scores.best.evaluated.top1 = run.top1;
    std::vector<Scores> scores;
    for (const double value : run.repeats) {
      TrialResult repeat;
      repeat.scores.ended_well = repeat.scores.measured = true;
      repeat.scores.best.evaluated.top1 = value;
      scores.push_back(repeat.scores);
      one.repeats.push_back(repeat);
    }
    if (!scores.empty()) {
      one.verified = combine(scores, RankAt::kBest);
      results.verified.push_back(results.policies.size());
    }
    results.policies.push_back(one);
  }
  return results;
}

TEST(ComposePlan, TheCompositeIsTheBestWholePath) {
  EXPECT_EQ(composite_of(results_of({{two(0.1, 0.01)}, {alone(0.2)}, {alone(0.3), 300}})),
            two(0.1, 0.01));
  EXPECT_EQ(composite_of(results_of({})), std::nullopt);
  CampaignResults controlled = results_of({{Policy{}}});
  controlled.policies[0].search.trial.policy.plateau = Plateau{};
  EXPECT_EQ(composite_of(controlled), std::nullopt) << "it realised nothing";
  controlled.policies[0].search.outcome.realised = two(0.2, 0.1);
  EXPECT_EQ(composite_of(controlled), two(0.2, 0.1)) << "what its controller made of it";
}

TEST(ComposePlan, ItsRivalsAreWhatThePathsBeganWithAndWhatIsDrawn) {
  const CampaignResults search =
      results_of({{two(0.1, 0.01)}, {two(0.1, 0.02)}, {two(0.2, 0.01)}, {alone(0.5), 300}});
  const std::vector<json> against = {to_json(alone(0.7)), to_json(alone(0.1))};
  const auto rivals = rivals_of(search, {.keep = 2, .singles = 2}, range(), 7, against);
  ASSERT_EQ(rivals.size(), 5u) << "each once";
  EXPECT_EQ(rivals[0], to_json(alone(0.1)));
  EXPECT_EQ(rivals[1], to_json(alone(0.2)));
  for (const std::size_t i : {2U, 3U}) {
    EXPECT_TRUE(rivals[i].contains("function")) << "a single function: " << rivals[i];
    EXPECT_GE(rivals[i].at("k0").get<double>(), 0.00999);
  }
  EXPECT_EQ(rivals[4], to_json(alone(0.7)));
  // Regression: the composite was its own rival, and a name made another policy of one.
  json composite_again = to_json(two(0.1, 0.01));
  composite_again["name"] = "mine";
  json first_again = to_json(alone(0.1));
  first_again["name"] = "mine";
  EXPECT_EQ(rivals_of(search, {.keep = 1, .singles = 0}, range(), 7,
                      std::vector<json>{composite_again, first_again})
                .size(),
            1u);
  EXPECT_TRUE(rivals_of(results_of({{alone(0.1)}}), {.singles = 0}, range(), 7, {}).empty())
      << "a path that never changed is no rival of itself";
}

TEST(ComposePlan, TheComparisonBeginsWithTheComposite) {
  const std::vector<json> rivals = {to_json(alone(0.1))};
  const Experiment made =
      composed_experiment(mine("{iterations: 900, target: {top1: 0.5}, stop_at_target: true}"),
                          {.repeats = 5}, 900, two(0.1, 0.01), rivals)
          .value();
  EXPECT_EQ(made.name, "mine-composed");
  EXPECT_EQ(made.verify_repeats, 5);
  EXPECT_EQ(made.verify_top, 4);
  EXPECT_FALSE(made.stop_at_target);
  ASSERT_EQ(made.policies.size(), 2u);
  EXPECT_EQ(made.policies[0].tree.at("name"), "composed");
  EXPECT_EQ(composed_experiment(mine(), {.repeats = 0}, 900, alone(1), rivals)->verify_top, 0);
}

TEST(Composition, ACompositeThatIsAheadIsBetter) {
  const CampaignResults composed =
      results_of({{two(0.1, 0.01), 900, 0.9, {0.90, 0.91}}, {alone(0.1), 900, 0.8, {0.80, 0.81}}});
  const Composition made = judge_composition(two(0.1, 0.01), composed);
  EXPECT_EQ(made.verdict, CompositionVerdict::kBetter);
  // Means 0.905 and 0.805.
  EXPECT_NEAR(made.settled.at("difference").get<double>(), 0.1, 1e-12);
  const std::string text = composition_text(made, results_of({}), composed, {}, range());
  EXPECT_THAT(text, HasSubstr("Rates: 0.01 to 0.1, from a test"));
  EXPECT_THAT(text, HasSubstr("The composite is better than every other policy here."));
  EXPECT_THAT(text, HasSubstr("until: 300"));
}

// Regression: of equal entries the last counted, which is not repeated.
TEST(Composition, TheCompositeIsTheOneThatWasRepeated) {
  const CampaignResults composed = results_of({{two(0.1, 0.01), 900, 0.9, {0.90, 0.91}},
                                               {alone(0.1), 900, 0.8, {0.80, 0.81}},
                                               {two(0.1, 0.01), 900, 0.9}});
  const Composition made = judge_composition(two(0.1, 0.01), composed);
  EXPECT_EQ(made.others, 1);
  EXPECT_TRUE(made.settled.is_object());
}

TEST(Composition, ALeadThatIsNotSettledIsSaid) {
  const CampaignResults composed =
      results_of({{two(0.1, 0.01), 900, 0.9, {0.80, 0.91}}, {alone(0.1), 900, 0.8, {0.85, 0.81}}});
  const Composition made = judge_composition(two(0.1, 0.01), composed);
  EXPECT_EQ(made.verdict, CompositionVerdict::kBetter);
  EXPECT_THAT(composition_text(made, results_of({}), composed, {}, range()),
              HasSubstr("its lead over the second is not settled"));
}

TEST(Composition, WhatDidNotEndWellIsNamed) {
  CampaignResults composed = results_of({{two(0.1, 0.01), 900, 0.9}, {alone(50)}});
  composed.policies[1].search.scores.ended_well = false;
  composed.policies[1].search.outcome = {OutcomeKind::kDiverged, 3, {}, ""};
  const Composition made = judge_composition(two(0.1, 0.01), composed);
  EXPECT_EQ(made.others, 1);
  EXPECT_THAT(composition_text(made, results_of({}), composed, {}, range()),
              HasSubstr("\n  FIX k0=50: diverged at 3\n"));
}

TEST(Composition, ACompositeThatIsBehindIsBeaten) {
  const CampaignResults composed =
      results_of({{alone(0.1), 900, 0.8, {0.90, 0.92}}, {two(0.1, 0.01), 900, 0.9, {0.90, 0.91}}});
  const Composition made = judge_composition(two(0.1, 0.01), composed);
  EXPECT_EQ(made.verdict, CompositionVerdict::kBeaten);
  const json numbers = composition_numbers(made, results_of({}));
  EXPECT_EQ(numbers.at("others"), 1);
  EXPECT_NEAR(numbers.at("top1").get<double>(), 0.905, 1e-12);
  EXPECT_NEAR(numbers.at("best_top1").get<double>(), 0.91, 1e-12);
  EXPECT_EQ(numbers.at("best"), to_json(alone(0.1)).dump());
  EXPECT_NEAR(numbers.at("difference").get<double>(), -0.005, 1e-12) << "it is behind";
}

TEST(Composition, APathThatNeverChangesIsNoComposite) {
  const Composition made = judge_composition(
      alone(0.1), results_of({{alone(0.1), 900, 0.8, {0.90, 0.92}}, {alone(0.2), 900, 0.7}}));
  EXPECT_EQ(made.verdict, CompositionVerdict::kUnchanged);
  EXPECT_EQ(judge_composition(two(1, 2), results_of({{alone(0.1)}})).verdict,
            CompositionVerdict::kFailed)
      << "it diverged";
}

}  // namespace
}  // namespace lrtune

// Change-LR-On-Plateau (Algorithm 1): its decisions against values worked out by hand, and what
// holds whatever the values are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

#include "common/policy/plateau.h"
#include "common/policy/policy_json.h"
#include "common/policy/run_rates.h"

namespace lrtune {
namespace {

using ::testing::ElementsAre;

LrFunction fix(double rate) { return {.kind = LrFunctionKind::kFix, .k0 = rate}; }

Plateau three_rates() {
  return {.functions = {fix(0.3), fix(0.2), fix(0.1)},
          .start = 1,
          .every = 10,
          .metric = PlateauMetric::kLoss,
          .window = 3,
          .threshold = 0.05,
          .cooldown = 2,
          .length = 100};
}

struct Step {
  std::int64_t iteration;
  double value;
  std::size_t index;     // after it
  std::int64_t counter;  // after it
};

void expect_steps(const Plateau& plateau, const std::vector<Step>& steps) {
  PlateauState state = initial_state_of(plateau);
  for (const Step& step : steps) {
    observe(plateau, state, step.iteration, step.value);
    EXPECT_EQ(state.index, step.index) << "after " << step.iteration;
    EXPECT_EQ(state.counter, step.counter) << "after " << step.iteration;
  }
}

TEST(PlateauTest, DecidesAsWorkedOutByHand) {
  expect_steps(three_rates(), {
                                  {10, 1.00, 1, 0},
                                  {20, 0.80, 1, 0},
                                  {30, 0.79, 1, 0},  // three values are not more than the window
                                  // 0.80 0.79 0.78 improve by 0.01; 40/100 < 0.8: up the list.
                                  {40, 0.78, 0, 2},
                                  {50, 0.77, 0, 1},  // a plateau, cooling down
                                  {60, 0.76, 0, 0},
                                  {70, 0.60, 0, 0},  // 0.76 to 0.60 improves by 0.16
                                  {80, 0.59, 0, 0},  // it is still among the last three
                                  // 0.60 0.59 0.58; 90/100 >= 0.8: down the list.
                                  {90, 0.58, 1, 2},
                                  {100, 0.57, 1, 1},
                                  {110, 0.56, 1, 0},
                                  {120, 0.55, 2, 2},
                                  {130, 0.54, 2, 1},
                                  {140, 0.53, 2, 0},
                                  {150, 0.52, 2, 2},  // there is nothing below: it cools down
                                  {160, 0.10, 2, 1},  // no plateau: the counter falls as well
                              });
}

TEST(PlateauTest, StaysAtTheTopOfTheList) {
  Plateau plateau = three_rates();
  plateau.start = 0;
  plateau.cooldown = 0;
  plateau.length = 1000;
  expect_steps(plateau,
               {{10, 1, 0, 0}, {20, 1, 0, 0}, {30, 1, 0, 0}, {40, 1, 0, 0}, {50, 1, 0, 0}});
}

TEST(PlateauTest, FromFourFifthsOfTheLengthOnItGoesDown) {
  Plateau plateau = three_rates();
  plateau.cooldown = 0;
  expect_steps(plateau,
               {{77, 1, 1, 0}, {78, 1, 1, 0}, {78, 1, 1, 0}, {79, 1, 0, 0}, {80, 1, 1, 0}});
}

TEST(PlateauTest, AnImprovementOfTheThresholdIsNone) {
  Plateau plateau = three_rates();
  plateau.threshold = 0.25;
  PlateauState state{.history = {9, 1, 0.75, 0.5}};
  EXPECT_FALSE(on_plateau(plateau, state)) << "0.25 is not below 0.25";
  state.history.back() = 0.5625;
  state.history[1] = 0.875;
  EXPECT_TRUE(on_plateau(plateau, state));
  state.history = {1, 0.875, 0.75};
  EXPECT_FALSE(on_plateau(plateau, state)) << "as many values as the window has";
  state.history = {1, 0.25, 1, 1};
  EXPECT_TRUE(on_plateau(plateau, state)) << "the first step lies before the window";
}

TEST(PlateauTest, AnAccuracyImprovesByRising) {
  Plateau plateau = three_rates();
  PlateauState falling{.history = {0.9, 0.8, 0.7, 0.6}};
  EXPECT_FALSE(on_plateau(plateau, falling));
  plateau.metric = PlateauMetric::kTop1;
  EXPECT_TRUE(on_plateau(plateau, falling));
  EXPECT_FALSE(on_plateau(plateau, {.history = {0.5, 0.6, 0.7, 0.71}}));
}

TEST(RunRatesTest, FollowTheControllerAtTheRunsOwnIteration) {
  Policy policy{.plateau = three_rates()};
  policy.plateau->functions[0] = {.kind = LrFunctionKind::kExp, .k0 = 0.3, .gamma = 0.99};
  RunRates rates(policy);
  EXPECT_FALSE(rates.observes(0)) << "nothing was trained";
  EXPECT_FALSE(rates.observes(15));
  std::vector<double> applied;
  for (std::int64_t t = 0; t < 100; ++t) {
    if (rates.observes(t)) rates.observe(t, 1);
    applied.push_back(rates.at(t));
  }
  EXPECT_EQ(applied[39], 0.2);
  EXPECT_EQ(applied[40], evaluate(policy.plateau->functions[0], 40)) << "not from its own start";
  EXPECT_THAT(rates.controller().changes,
              ElementsAre(PlateauChange{40, 0}));  // then it is at the top until 0.8 T
  const Policy whole = rates.applied(100);
  ASSERT_EQ(whole.segments.size(), 2U);
  EXPECT_EQ(whole.segments[1], (Segment{policy.plateau->functions[0], kNoEnd, 40}));
  for (std::int64_t t = 0; t < 100; ++t)
    EXPECT_EQ(learning_rate(whole, t), applied[static_cast<std::size_t>(t)]) << t;
  EXPECT_EQ(rates.applied(40).segments.size(), 1U) << "no step was made after the change";
  EXPECT_EQ(rates.applied(41).segments.size(), 2U);
}

TEST(RunRatesTest, AnOrdinaryPolicyHasNothingToObserve) {
  const Policy policy{.segments = {{.function = fix(0.1), .until = 5}, {.function = fix(0.2)}}};
  const RunRates rates(policy);
  EXPECT_FALSE(rates.observes(5));
  EXPECT_EQ(rates.at(4), 0.1);
  EXPECT_EQ(rates.at(5), 0.2);
  EXPECT_EQ(rates.applied(9), policy);
  EXPECT_EQ(rates.controller(), PlateauRun{});
}

TEST(RunRatesTest, OnlyWhatAControllerCanDoIsTakenForItsSchedule) {
  const Plateau plateau = three_rates();
  PlateauRun run{.changes = {{40, 0}, {90, 1}}};
  const Policy made = realised(plateau, run, 100);
  EXPECT_TRUE(may_realise(plateau, made));
  Policy other = made;
  other.segments[1].from_t = 0;
  EXPECT_FALSE(may_realise(plateau, other)) << "without its phase";
  other = made;
  other.segments[0].until = 41;
  other.segments[1].from_t = 41;
  EXPECT_FALSE(may_realise(plateau, other)) << "the controller was not asked at 41";
  other = made;
  other.segments[1].function.k0 = 0.25;
  EXPECT_FALSE(may_realise(plateau, other));
  other = made;
  other.segments[0].function = fix(0.3);
  EXPECT_FALSE(may_realise(plateau, other)) << "it starts with another";
  EXPECT_FALSE(may_realise(plateau, Policy{.plateau = plateau}));
  EXPECT_FALSE(may_realise(plateau, Policy{}));
}

// ---- properties

Plateau any_plateau() {
  Plateau plateau;
  const auto count = *rc::gen::inRange<std::size_t>(1, 9);
  for (std::size_t i = 0; i < count; ++i)
    plateau.functions.push_back(fix(1.0 / static_cast<double>(i + 1)));
  plateau.start = *rc::gen::inRange<std::size_t>(0, count);
  plateau.every = *rc::gen::inRange<std::int64_t>(1, 50);
  plateau.metric =
      *rc::gen::element(PlateauMetric::kTrainLoss, PlateauMetric::kLoss, PlateauMetric::kTop1);
  plateau.window = *rc::gen::inRange<std::int64_t>(2, 8);
  plateau.threshold = *rc::gen::inRange(0, 100) / 100.0;
  plateau.cooldown = *rc::gen::inRange<std::int64_t>(0, 6);
  plateau.length = *rc::gen::inRange<std::int64_t>(1, 2000);
  return plateau;
}

std::vector<double> any_values() {
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-40, 41));
  std::vector<double> values{2};
  for (const int step : steps) values.push_back(values.back() + step / 200.0);
  return values;
}

TEST(PlateauProperty, TheIndexStaysInTheListAndMovesByOneAtMost) {
  EXPECT_TRUE(rc::check([] {
    const Plateau plateau = any_plateau();
    PlateauState state = initial_state_of(plateau);
    std::int64_t t = 0;
    for (const double value : any_values()) {
      const auto before = static_cast<std::int64_t>(state.index);
      observe(plateau, state, t += plateau.every, value);
      RC_ASSERT(state.index < plateau.functions.size());
      const auto moved = static_cast<std::int64_t>(state.index) - before;
      RC_ASSERT(moved == 0 || moved == (5 * t < 4 * plateau.length ? -1 : 1));
      RC_ASSERT(state.counter >= 0 && state.counter <= plateau.cooldown);
    }
  }));
}

TEST(PlateauProperty, BetweenTwoChangesLieMoreObservationsThanTheCooldown) {
  EXPECT_TRUE(rc::check([] {
    const Policy policy{.plateau = any_plateau()};
    RunRates rates(policy);
    std::int64_t t = 0;
    for (const double value : any_values()) rates.observe(t += policy.plateau->every, value);
    const auto& changes = rates.controller().changes;
    for (std::size_t i = 1; i < changes.size(); ++i) {
      const std::int64_t between =
          (changes[i].iteration - changes[i - 1].iteration) / policy.plateau->every;
      RC_ASSERT(between > policy.plateau->cooldown);
    }
    if (!changes.empty())
      RC_ASSERT(changes.front().iteration > policy.plateau->window * policy.plateau->every);
    RC_ASSERT(changes.size() < 2 * policy.plateau->functions.size());
  }));
}

TEST(PlateauProperty, SteadyImprovementOfTheThresholdChangesNothing) {
  EXPECT_TRUE(rc::check([] {
    const Plateau plateau = any_plateau();
    PlateauState state = initial_state_of(plateau);
    const double sign = plateau.metric == PlateauMetric::kTop1 ? 1 : -1;
    double value = 0;
    for (std::int64_t i = 1; i <= 40; ++i) {
      value += sign * (plateau.threshold + *rc::gen::inRange(1, 10));
      observe(plateau, state, i * plateau.every, value);
    }
    RC_ASSERT(state.index == plateau.start);
    RC_ASSERT(state.counter == 0);
  }));
}

TEST(PlateauProperty, TheRealisedScheduleHasTheAppliedRatesBitForBit) {
  EXPECT_TRUE(rc::check([] {
    Policy policy{.plateau = any_plateau()};
    for (LrFunction& function : policy.plateau->functions) {
      function = {.kind = LrFunctionKind::kTri2, .k0 = 0, .k1 = function.k0, .l = 37};
    }
    RunRates rates(policy);
    const std::vector<double> values = any_values();
    const std::int64_t end = std::ssize(values) * policy.plateau->every;
    std::vector<double> applied;
    for (std::int64_t t = 0; t < end; ++t) {
      if (rates.observes(t))
        rates.observe(t, values[static_cast<std::size_t>(t / policy.plateau->every)]);
      applied.push_back(rates.at(t));
    }
    const Policy realised = rates.applied(end);
    RC_ASSERT(may_realise(*policy.plateau, realised));
    std::vector<double> again(applied.size());
    learning_rates(realised, 0, again);
    RC_ASSERT(again == applied);
    RC_ASSERT(policy_from_json(to_json(realised), {}).value() == realised);
  }));
}

}  // namespace
}  // namespace lrtune

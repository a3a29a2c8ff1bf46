#include "coordinator/tuning/range_test.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

namespace lrtune {
namespace {

using Accuracy = std::vector<std::optional<double>>;

const std::vector<double> kRates = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1};

// Top 0.9 at 0.003, chance 0.1: flat down to 0.9 - 0.1 * 0.8 = 0.82. 0.001 has 0.85, 0.0003 has
// 0.7; 0.01 has 0.88, 0.03 0.5.
const Accuracy kUsual = {0.4, 0.7, 0.85, 0.9, 0.88, 0.5, std::nullopt};

TEST(FlatPart, ByHand) {
  EXPECT_EQ(flat_part(kUsual, {}), (FlatPart{2, 3, 4}));
  EXPECT_EQ(flat_part(kUsual, {.band = 0.3}), (FlatPart{1, 3, 4}));  // 0.66
  EXPECT_EQ(flat_part(Accuracy{0.1, 0.12, std::nullopt}, {}), std::nullopt);
  EXPECT_EQ(flat_part(Accuracy{std::nullopt, std::nullopt}, {}), std::nullopt);
  EXPECT_EQ(flat_part(Accuracy{0.9, 0.9, 0.9}, {}), (FlatPart{0, 0, 2}));
  // A second hill behind a valley is none of it.
  EXPECT_EQ(flat_part(Accuracy{0.2, 0.9, 0.3, 0.85, 0.1}, {}), (FlatPart{1, 1, 1}));
}

RC_GTEST_PROP(FlatPartProperty, HoldsTheTopAndIsWithinTheBand, ()) {
  Accuracy accuracy;
  const auto count = *rc::gen::inRange(1, 20);
  for (int i = 0; i < count; ++i) {
    const int value = *rc::gen::inRange(-1, 101);
    accuracy.push_back(value < 0 ? std::nullopt : std::optional<double>(value / 100.0));
  }
  const RangeTestOptions options;
  const auto part = flat_part(accuracy, options);
  double top = 0;
  for (const auto& value : accuracy) top = std::max(top, value.value_or(options.chance));
  RC_ASSERT(part.has_value() == (top - options.chance >= options.least_rise));
  if (!part) return;
  const double flat = top - options.band * (top - options.chance);
  RC_ASSERT(accuracy[part->top].value() == top);
  for (std::size_t i = part->first; i <= part->last; ++i) RC_ASSERT(accuracy[i].value() >= flat);
  if (part->first > 0) RC_ASSERT(accuracy[part->first - 1].value_or(0) < flat);
  if (part->last + 1 < accuracy.size()) RC_ASSERT(accuracy[part->last + 1].value_or(0) < flat);
}

// One seed: lower between 0.0003 and 0.001, upper between 0.01 and 0.03; 0.01 - 0.001 of [0, 1] is
// left.
TEST(RangeTest, OneSeedByHand) {
  const auto range = analyse_range(kRates, std::vector<RangeCurve>{{0, 600, kUsual}}, {});
  EXPECT_EQ(range.lower.why, CannotTell::kCanTell);
  EXPECT_EQ(range.lower.rate, 0.001);
  EXPECT_NEAR(range.lower.low, 0.0003, 1e-12);
  EXPECT_NEAR(range.lower.high, 0.001, 1e-12);
  EXPECT_EQ(range.upper.rate, 0.01);
  EXPECT_NEAR(range.upper.low, 0.01, 1e-12);
  EXPECT_NEAR(range.upper.high, 0.03, 1e-12);
  EXPECT_DOUBLE_EQ(range.left, 0.009);
  EXPECT_EQ(range.seeds, 1);
  EXPECT_EQ(range.lower_fell, 0);
}

// Lower bounds 0.001, 0.001 and 0.0003. Mean logarithm (base e): (2 * -6.907755 - 8.111728) / 3 =
// -7.309079, so 0.0006694. Deviation 0.695105 (distances 0.401324 twice, 0.802649: squares
// 0.966366; half is 0.483183), / sqrt 3 = 0.401320; Student's 97.5 % with 2 degrees: 4.302653,
// so 1.726740: the bound is unknown by a factor of e^1.73 = 5.6 to both sides, beyond one of 10 in
// all.
TEST(RangeTest, SeedsThatDisagreeByHand) {
  Accuracy early = kUsual;
  early[1] = 0.84;
  const std::vector<RangeCurve> curves = {{0, 600, kUsual}, {1, 600, kUsual}, {2, 600, early}};
  const auto range = analyse_range(kRates, curves, {});
  EXPECT_EQ(range.lower.why, CannotTell::kSeedsDisagree);
  EXPECT_NEAR(range.lower.rate, 0.0006694, 1e-7);
  EXPECT_NEAR(range.lower.high, 0.0006694 * std::exp(1.726740), 1e-6);
  EXPECT_EQ(range.upper.why, CannotTell::kCanTell);
  EXPECT_EQ(range.left, 1);
  EXPECT_EQ(analyse_range(kRates, curves, {.widest = 1e6}).lower.why, CannotTell::kCanTell);
}

TEST(RangeTest, SaysWhereItCannotTell) {
  const auto why = [](const Accuracy& accuracy) {
    const auto range = analyse_range(kRates, std::vector<RangeCurve>{{0, 1, accuracy}}, {});
    return std::pair(range.lower.why, range.upper.why);
  };
  using enum CannotTell;
  EXPECT_EQ(why({0.1, 0.1, 0.11, 0.1, 0.1, 0.1, {}}), std::pair(kNothingLearned, kNothingLearned));
  EXPECT_EQ(why({0.9, 0.9, 0.9, 0.9, 0.5, 0.2, {}}), std::pair(kOutsideGrid, kCanTell));
  EXPECT_EQ(why({0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.9}), std::pair(kCanTell, kOutsideGrid));
  EXPECT_EQ(why({0.2, 0.3, 0.5, 0.9, 0.5, 0.2, {}}), std::pair(kTooCoarse, kTooCoarse));
}

// The longest length decides; at 300 iterations the flat part begins at 0.003, three times higher
// than at 600.
TEST(RangeTest, TheLongestLengthDecides) {
  const Accuracy shorter = {0.2, 0.4, 0.6, 0.8, 0.82, 0.4, std::nullopt};
  const std::vector<RangeCurve> curves = {{0, 600, kUsual}, {0, 300, shorter}};
  const auto range = analyse_range(kRates, curves, {});
  EXPECT_EQ(range.iterations, 600);
  EXPECT_EQ(range.lower.rate, 0.001);
  EXPECT_NEAR(range.lower_fell, 3, 1e-12);
}

RC_GTEST_PROP(RangeTestProperty, BoundsAreInOrderAndDoNotDependOnTheOrderOfSeeds, ()) {
  std::vector<RangeCurve> curves;
  const auto seeds = *rc::gen::inRange(1, 5);
  for (int seed = 0; seed < seeds; ++seed) {
    RangeCurve curve{.repeat = static_cast<std::uint32_t>(seed), .iterations = 10};
    for (std::size_t i = 0; i < kRates.size(); ++i) {
      const int value = *rc::gen::inRange(-1, 101);
      curve.accuracy.push_back(value < 0 ? std::nullopt : std::optional<double>(value / 100.0));
    }
    curves.push_back(curve);
  }
  const auto range = analyse_range(kRates, curves, {});
  RC_ASSERT(range.lower.rate <= range.upper.rate);
  RC_ASSERT(range.left >= 0 && range.left <= 1);
  for (const RangeBound* bound : {&range.lower, &range.upper}) {
    if (bound->why == CannotTell::kNothingLearned) continue;
    RC_ASSERT(bound->low <= bound->rate * (1 + 1e-12) && bound->rate <= bound->high * (1 + 1e-12));
    RC_ASSERT(bound->rate >= kRates.front() && bound->rate <= kRates.back());
  }
  std::reverse(curves.begin(), curves.end());
  const auto again = analyse_range(kRates, curves, {});
  RC_ASSERT(again.lower.why == range.lower.why && again.upper.why == range.upper.why);
  RC_ASSERT(std::abs(again.lower.rate - range.lower.rate) <= 1e-12);
}

// Top 0.8 at 0.01, chance 0.1: risen from 0.1 + 0.1 * 0.7 = 0.17 on, at 0.001; flat down to 0.73,
// until 0.01.
TEST(Ramp, ByHand) {
  const Accuracy accuracy = {0.1, 0.12, 0.2, 0.5, 0.8, 0.6, std::nullopt};
  EXPECT_EQ(ramp_part(accuracy, {}), (FlatPart{2, 4, 4}));
  EXPECT_EQ(ramp_part(Accuracy{0.1, 0.1, 0.15}, {}), std::nullopt);
  const std::vector<RangeCurve> curves = {{0, 500, accuracy}, {1, 500, accuracy}};
  const auto range = analyse_ramp(kRates, curves, {});
  EXPECT_EQ(range.lower.why, CannotTell::kCanTell);
  EXPECT_EQ(range.lower.rate, 0.001);
  EXPECT_NEAR(range.lower.low, 0.0003, 1e-12);
  EXPECT_EQ(range.upper.rate, 0.01);
  EXPECT_NEAR(range.upper.high, 0.03, 1e-12);
  EXPECT_EQ(range.seeds, 2);
  EXPECT_EQ(range.iterations, 500);
  EXPECT_DOUBLE_EQ(range.left, 0.009);
  // Risen from the first evaluation on: the ramp should begin lower.
  const std::vector<RangeCurve> early = {{0, 500, {0.3, 0.5, 0.6, 0.7, 0.8, 0.6, {}}}};
  EXPECT_EQ(analyse_ramp(kRates, early, {}).lower.why, CannotTell::kOutsideGrid);
}

RC_GTEST_PROP(RampProperty, BeginsNoLaterThanTheFlatPart, ()) {
  Accuracy accuracy;
  const auto count = *rc::gen::inRange(3, 20);
  for (int i = 0; i < count; ++i) accuracy.push_back(*rc::gen::inRange(0, 101) / 100.0);
  const auto part = ramp_part(accuracy, {.band = 0.3});
  const auto flat = flat_part(accuracy, {.band = 0.3});
  RC_ASSERT(part.has_value() == flat.has_value());
  if (!part) return;
  RC_ASSERT(part->first <= flat->first);
  RC_ASSERT(part->top == flat->top && part->last == flat->last);
}

// MNIST: 10,000 iterations of 600 an epoch are 16.7 epochs, 2.08 times 8: two cycles of 2 * 2,500.
// CNN3: 70,000 of 500 are 140 epochs, 17.5 times 8: 18 cycles, l = 1,944 (3.9 epochs). The paper
// has 2,000 in both.
TEST(ParameterEstimate, ByHand) {
  const auto mnist = estimate_parameters(0.01, 0.06, 10'000, 600);
  EXPECT_EQ(mnist.cycles, 2);
  EXPECT_EQ(mnist.half_cycle, 2500);
  EXPECT_EQ(mnist.half_cycle_low, 1200);
  EXPECT_EQ(mnist.half_cycle_high, 5000);  // half the run
  EXPECT_EQ(mnist.k0, 0.01);
  EXPECT_EQ(mnist.k1, 0.06);
  EXPECT_NEAR(mnist.fixed, 0.024494897, 1e-9);
  EXPECT_NEAR(0.06 * std::pow(mnist.gamma, 10'000), 0.01, 1e-9);
  const auto cifar = estimate_parameters(0.0005, 0.006, 70'000, 500);
  EXPECT_EQ(cifar.cycles, 18);
  EXPECT_EQ(cifar.half_cycle, 1944);
  EXPECT_EQ(cifar.half_cycle_high, 5000);
  const auto brief = estimate_parameters(0.001, 0.01, 900, 600);  // 1.5 epochs: one cycle
  EXPECT_EQ(brief.cycles, 1);
  EXPECT_EQ(brief.half_cycle, 450);
  EXPECT_EQ(brief.half_cycle_low, 450);
}

RC_GTEST_PROP(ParameterEstimateProperty, WholeCyclesFillTheRun, ()) {
  const auto epoch = *rc::gen::inRange<std::int64_t>(1, 10'000);
  const auto iterations = *rc::gen::inRange<std::int64_t>(2, 1'000'000);
  const auto found = estimate_parameters(0.001, 0.1, iterations, epoch);
  RC_ASSERT(found.cycles >= 1 && found.half_cycle >= 1);
  RC_ASSERT(2 * found.cycles * found.half_cycle <= iterations);
  RC_ASSERT(iterations - 2 * found.cycles * found.half_cycle < 2 * found.cycles);
  RC_ASSERT(found.half_cycle_low <= found.half_cycle_high);
  if (iterations >= 4 * epoch) RC_ASSERT(found.half_cycle >= 2 * epoch);
  RC_ASSERT(found.half_cycle <= 10 * epoch);
}

}  // namespace
}  // namespace lrtune

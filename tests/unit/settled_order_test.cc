#include "coordinator/tuning/settled_order.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace lrtune {
namespace {

TEST(Sample, ByHand) {  // squares of distances from 4: 9 + 1 + 16 = 26; 26 / 2 = 13
  const Sample sample = sample_of(std::vector<double>{1, 3, 8});
  EXPECT_EQ(sample.count, 3);
  EXPECT_DOUBLE_EQ(sample.mean, 4);
  EXPECT_DOUBLE_EQ(sample.deviation, std::sqrt(13));
  EXPECT_EQ(sample_of(std::vector<double>{2}).deviation, 0);
}

// Two of 3 and of 3 with variance 1: error sqrt(2/3), 4 degrees of freedom. With difference 2, t
// = 2.44949. For 4 degrees the distribution function is 1/2 + s (1 - s^2 / 3) * 3/4 with s = t /
// sqrt(4 + t^2) = 0.774597: 0.5 + 0.774597 * 0.8 * 0.75 = 0.964758, so p = 2 * 0.035242 = 0.070484.
// The quantile of 97.5 % is 2.776445.
TEST(WelchTest, EqualVariancesByHand) {
  const Sample high{.count = 3, .mean = 5, .deviation = 1};
  const Sample low{.count = 3, .mean = 3, .deviation = 1};
  const WelchTest test = welch_test(high, low, 0.95);
  EXPECT_DOUBLE_EQ(test.difference, 2);
  EXPECT_NEAR(test.error, std::sqrt(2.0 / 3), 1e-15);
  EXPECT_NEAR(test.freedom, 4, 1e-12);
  EXPECT_NEAR(test.p, 0.070484, 1e-6);
  EXPECT_NEAR(test.low, 2 - 2.776445 * std::sqrt(2.0 / 3), 1e-6);
  EXPECT_NEAR(test.high, 2 + 2.776445 * std::sqrt(2.0 / 3), 1e-6);
}

// Variances 4 of 4 and 9 of 6: shares 1 and 1.5. Freedom 2.5^2 / (1/3 + 2.25/5) = 6.25 / 0.783333
// = 7.978723.
TEST(WelchTest, DegreesOfFreedomByHand) {
  const WelchTest test = welch_test({4, 1, 2}, {6, 0, 3}, 0.95);
  EXPECT_NEAR(test.freedom, 7.978723, 1e-6);
  EXPECT_NEAR(test.error, std::sqrt(2.5), 1e-15);
}

TEST(WelchTest, WithoutSpreadTheMeansDecide) {
  EXPECT_EQ(welch_test({2, 1, 0}, {2, 1, 0}, 0.95).p, 1);
  EXPECT_EQ(welch_test({2, 2, 0}, {2, 1, 0}, 0.95).p, 0);
}

// 0.01 * 3, then max(0.03, 0.02 * 2), then max(0.04, 0.4).
TEST(Holm, ByHand) {
  const std::vector<double> adjusted = holm_adjusted(std::vector<double>{0.4, 0.01, 0.02});
  EXPECT_DOUBLE_EQ(adjusted[1], 0.03);
  EXPECT_DOUBLE_EQ(adjusted[2], 0.04);
  EXPECT_DOUBLE_EQ(adjusted[0], 0.4);
  EXPECT_EQ(holm_adjusted(std::vector<double>{0.9, 0.8}), (std::vector<double>{1, 1}));
  EXPECT_TRUE(holm_adjusted({}).empty());
}

RC_GTEST_PROP(HolmProperty, IsBetweenNoneAndBonferroniAndKeepsTheOrder, ()) {
  std::vector<double> p;
  const auto count = *rc::gen::inRange(1, 12);
  for (int i = 0; i < count; ++i) p.push_back(*rc::gen::inRange(0, 1001) / 1000.0);
  const std::vector<double> adjusted = holm_adjusted(p);
  for (std::size_t i = 0; i < p.size(); ++i) {
    RC_ASSERT(adjusted[i] >= p[i]);
    RC_ASSERT(adjusted[i] <= std::min(1.0, p[i] * count) + 1e-15);
    for (std::size_t j = 0; j < p.size(); ++j) {
      if (p[i] < p[j]) RC_ASSERT(adjusted[i] <= adjusted[j]);
    }
  }
}

using Values = std::vector<std::vector<double>>;

TEST(SettledOrder, ClearOrderIsSettledByTheFirstLook) {
  const Values values = {{0.70, 0.701, 0.7005}, {0.9, 0.901, 0.9005}, {0.8, 0.801, 0.8005}};
  const SettledOrder found = settled_order(values, {.min_repeats = 3, .max_repeats = 5});
  EXPECT_EQ(found.state, OrderState::kSettled);
  EXPECT_EQ(found.order, (std::vector<std::size_t>{1, 2, 0}));
  EXPECT_DOUBLE_EQ(found.look_alpha, 0.05 / 3);  // looks at 3, 4 and 5 repeats
  ASSERT_EQ(found.neighbours.size(), 2u);
  EXPECT_TRUE(found.neighbours[0].settled);
  EXPECT_NEAR(found.neighbours[0].test.difference, 0.1, 1e-12);
  EXPECT_TRUE(found.repeat.empty());
}

// The two best are alike, the third is far away: only these two run again, until the most repeats
// are made.
TEST(SettledOrder, OnlyUnsettledNeighboursRepeat) {
  Values values = {{0.5, 0.501, 0.4995}, {0.9, 0.92, 0.91}, {0.905, 0.91, 0.925}};
  const OrderOptions options{.min_repeats = 3, .max_repeats = 4};
  SettledOrder found = settled_order(values, options);
  EXPECT_EQ(found.state, OrderState::kRepeat);
  EXPECT_EQ(found.order.back(), 0u);
  EXPECT_EQ(found.repeat, (std::vector<std::size_t>{1, 2}));
  EXPECT_FALSE(found.neighbours[0].settled);
  EXPECT_TRUE(found.neighbours[1].settled);
  values[1].push_back(0.915);
  values[2].push_back(0.9);
  found = settled_order(values, options);
  EXPECT_EQ(found.state, OrderState::kUnsettled);
  EXPECT_TRUE(found.repeat.empty());
  EXPECT_LT(found.neighbours[0].test.low, 0);  // the interval says so: either may be the better one
  EXPECT_GT(found.neighbours[0].test.high, 0);
}

TEST(SettledOrder, WaitsForTheLeastRepeats) {
  const SettledOrder found = settled_order(Values{{0.9}, {0.5, 0.51}}, {});
  EXPECT_EQ(found.state, OrderState::kRepeat);
  EXPECT_EQ(found.repeat, (std::vector<std::size_t>{0}));
  EXPECT_TRUE(found.neighbours.empty());
  EXPECT_EQ(settled_order(Values{{0.9}}, {}).state, OrderState::kSettled);
  EXPECT_EQ(settled_order(Values{}, {}).state, OrderState::kSettled);
}

RC_GTEST_PROP(SettledOrderProperty, OrdersByMeanAndAsksForNoMoreThanTheMost, ()) {
  Values values;
  const auto policies = *rc::gen::inRange(1, 6);
  for (int i = 0; i < policies; ++i) {
    std::vector<double> repeats;
    const auto count = *rc::gen::inRange(0, 7);
    for (int j = 0; j < count; ++j) repeats.push_back(*rc::gen::inRange(0, 100) / 10.0 + 10 * i);
    values.push_back(repeats);
  }
  const SettledOrder found = settled_order(values, {.min_repeats = 2, .max_repeats = 6});
  for (std::size_t i = 1; i < found.samples.size(); ++i) {
    RC_ASSERT(found.samples[i - 1].mean >= found.samples[i].mean);
  }
  for (const std::size_t place : found.repeat) RC_ASSERT(values[place].size() < 6u);
  RC_ASSERT((found.state == OrderState::kRepeat) == !found.repeat.empty());
  for (const NeighbourOrder& pair : found.neighbours) {
    RC_ASSERT(pair.test.low <= pair.test.difference);
    RC_ASSERT(pair.test.difference <= pair.test.high);
    RC_ASSERT(!pair.settled || pair.test.p <= found.look_alpha);
  }
}

// Equal policies, drawn from one normal distribution: over all looks a wrong claim of an order is
// rarer than alpha. 2,000 campaigns of three policies; the seed is fixed, and with a true rate of 5
// % more than 130 would come once in 10^4.
TEST(SettledOrder, KeepsItsErrorOverAllLooks) {
  std::mt19937_64 generator(1);
  const auto normal = [&] {  // the sum of 12 uniform numbers less 6
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(generator() >> 11) * 0x1p-53;
    return sum;
  };
  const OrderOptions options{.min_repeats = 3, .max_repeats = 6};
  int wrong = 0;
  for (int campaign = 0; campaign < 2000; ++campaign) {
    Values values(3);
    for (auto& repeats : values) repeats = {normal(), normal()};
    bool claimed = false;
    for (SettledOrder found = settled_order(values, options); found.state == OrderState::kRepeat;
         found = settled_order(values, options)) {
      for (const std::size_t place : found.repeat) values[place].push_back(normal());
      const SettledOrder after = settled_order(values, options);
      claimed = claimed || std::any_of(after.neighbours.begin(), after.neighbours.end(),
                                       [](const auto& pair) { return pair.settled; });
    }
    wrong += claimed ? 1 : 0;
  }
  EXPECT_LE(wrong, 130);
  EXPECT_GT(wrong, 0);
}

}  // namespace
}  // namespace lrtune

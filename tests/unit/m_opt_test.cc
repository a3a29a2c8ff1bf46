// M-opt, formula (7): its value, the agreement of a series with the applied rates, and the schedule
// that it recommends, against numbers worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/tuning/m_opt.h"

namespace lrtune {
namespace {

constexpr unsigned kSeed = 20261125;

// On f(x) = a x^2 / 2 plain gradient descent goes from x to x (1 - a r): with a = 4, r = 0.125 and
// x = 8 to 4 and 2. Moved 4, turned |2 * 4 - 8 - 2| = 2, and 0.125 * 4 / 2 = 0.25 = 1/a, the rate
// that reaches the minimum in one step.
TEST(MoptTest, IsTheOneStepRateOfAParabola) {
  EXPECT_EQ(m_opt(0.125, 8 - 4, std::abs(2 * 4 - 8 - 2)), 0.25);
}

TEST(MoptTest, WithoutATurnThereIsNoValue) {
  EXPECT_EQ(m_opt(0.1, 5, 0), std::nullopt);
  EXPECT_EQ(m_opt(0.1, 0, 0), std::nullopt);
  EXPECT_EQ(m_opt(0.1, std::numeric_limits<double>::infinity(), 1), std::nullopt);
  EXPECT_EQ(m_opt(0.1, 1, std::numeric_limits<double>::quiet_NaN()), std::nullopt);
  EXPECT_EQ(m_opt(1e300, 1e300, 1e-300), std::nullopt) << "beyond the largest double";
  EXPECT_EQ(m_opt(0.1, 0, 5), 0.0);
}

TEST(MoptAgreementTest, IsTheMeanDistanceInPowersOfTen) {
  // log10 of applied / M-opt: 1, -1, 0.
  const std::vector<MoptValue> series = {
      {1, 0.1, 0.01}, {251, 0.1, 1.0}, {501, 0.1, std::nullopt}, {751, 0.1, 0.1}, {1001, 0.1, 0.0}};
  const auto found = agreement(series);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->values, 3);
  EXPECT_EQ(found->without, 2);
  EXPECT_NEAR(found->mean_log10, 2.0 / 3, 1e-12);
  EXPECT_NEAR(found->median_ratio, 1, 1e-12);
}

TEST(MoptAgreementTest, SaysWhichOfTheTwoIsHigher) {
  const auto found = agreement(std::vector<MoptValue>{{1, 0.4, 0.1}, {4, 0.8, 0.1}});
  EXPECT_NEAR(found->median_ratio, std::sqrt(32), 1e-12);
  EXPECT_FALSE(agreement({}));
  EXPECT_FALSE(agreement(std::vector<MoptValue>{{1, 0, 0.1}, {4, 0.1, std::nullopt}}));
}

std::vector<MoptValue> series_of(const std::vector<double>& values, double applied = 0.1) {
  std::vector<MoptValue> series;
  for (std::size_t i = 0; i < values.size(); ++i)
    series.push_back({static_cast<std::int64_t>(10 * i + 1), applied, values[i]});
  return series;
}

// log10: -1 three times, then -2, -3, -1: by least squares one cut, before the fourth value, takes
// the sum of squares from 3.5 (mean -1.5) to 2 (means -1 and -2).
TEST(MoptScheduleTest, CutsWhereTheSquaresBecomeLeast) {
  const auto policy = recommended(series_of({0.1, 0.1, 0.1, 0.01, 0.001, 0.1}, 0.01));
  ASSERT_TRUE(policy);
  ASSERT_EQ(policy->segments.size(), 2U);
  EXPECT_EQ(policy->segments[0].until, 30) << "where the fourth window began";
  EXPECT_NEAR(policy->segments[0].function.k0, 0.1, 1e-12);
  EXPECT_NEAR(policy->segments[1].function.k0, 0.01, 1e-12);
  EXPECT_EQ(policy->segments[1].until, kNoEnd);
}

// The same with a least gain above (3.5 - 2) / 3.5 = 0.43: one rate, 10^-1.5.
TEST(MoptScheduleTest, ASegmentMustGainEnough) {
  const auto policy =
      recommended(series_of({0.1, 0.1, 0.1, 0.01, 0.001, 0.1}, 0.01), {.least_gain = 0.43});
  ASSERT_TRUE(policy);
  ASSERT_EQ(policy->segments.size(), 1U);
  EXPECT_EQ(policy->segments[0].function.k0, 0.0316) << "10^-1.5 in three digits";
}

TEST(MoptScheduleTest, AConstantSeriesIsOneRate) {
  const auto policy = recommended(series_of(std::vector<double>(50, 0.03)));
  ASSERT_EQ(policy->segments.size(), 1U);
  EXPECT_NEAR(policy->segments[0].function.k0, 0.03, 1e-12);
  EXPECT_EQ(to_json(*policy)["function"], "fix");
}

TEST(MoptScheduleTest, StaysWithinAFactorOfTheAppliedRates) {
  const auto policy = recommended(series_of({1e9, 1e9, 1e9, 1e-9, 1e-9, 1e-9}));
  ASSERT_EQ(policy->segments.size(), 2U);
  EXPECT_NEAR(policy->segments[0].function.k0, 1, 1e-12);
  EXPECT_NEAR(policy->segments[1].function.k0, 0.01, 1e-12);
}

TEST(MoptScheduleTest, AFewValuesRecommendNothing) {
  EXPECT_FALSE(recommended(series_of({0.1, 0.2})));
  EXPECT_FALSE(recommended({}));
  std::vector<MoptValue> empty = series_of({0.1, 0.2, 0.3});
  empty[1].m_opt.reset();
  EXPECT_FALSE(recommended(empty));
}

// Whatever the series is, the schedule is a policy within the bounds.
TEST(MoptScheduleTest, RandomSeriesGiveBoundedPolicies) {
  std::mt19937 generator(kSeed);
  for (const std::size_t length : {3U, 4U, 7U, 100U, 1000U, 1001U, 5000U}) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", length " << length);
    std::vector<double> values;
    std::uniform_real_distribution<double> log(-6, 2);
    for (std::size_t i = 0; i < length; ++i) values.push_back(std::pow(10, log(generator)));
    const MoptBounds bounds;
    const auto policy = recommended(series_of(values), bounds);
    ASSERT_TRUE(policy);
    EXPECT_LE(policy->segments.size(), bounds.most_segments);
    for (const Segment& segment : policy->segments) {
      EXPECT_GE(segment.function.k0, 0.1 / bounds.most_factor * (1 - 1e-9));
      EXPECT_LE(segment.function.k0, 0.1 * bounds.most_factor * (1 + 1e-9));
    }
    EXPECT_EQ(policy_from_json(to_json(*policy), {}).value(), *policy);
  }
}

}  // namespace
}  // namespace lrtune

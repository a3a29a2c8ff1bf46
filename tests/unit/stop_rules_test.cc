#include "coordinator/search/stop_rules.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace lrtune {
namespace {

// Until 200: (0.1 + 0.5) / 2; the point at 300 does not count yet.
TEST(RunningAverage, ByHand) {
  const std::vector<MeasuredPoint> points = {{100, 0.1}, {200, 0.5}, {300, 0.9}};
  EXPECT_DOUBLE_EQ(running_average(points, 200).value_or(0), 0.3);
  EXPECT_DOUBLE_EQ(running_average(points, 1000).value_or(0), 0.5);
  EXPECT_EQ(running_average(points, 99), std::nullopt);
}

// Averages 0.2, 0.6, 0.4, 0.8: the median is 0.5. A best value of 0.49 stops, one of 0.5 does not.
TEST(MedianStop, ByHand) {
  const std::vector<double> averages = {0.2, 0.6, 0.4, 0.8};
  EXPECT_EQ(median_stop(0.49, averages, 3), (MedianStop{true, 0.49, 0.5, 4}));
  EXPECT_EQ(median_stop(0.5, averages, 3), (MedianStop{false, 0.5, 0.5, 4}));
  EXPECT_EQ(median_stop(0.1, averages, 5), (MedianStop{false, 0.1, 0.5, 4}));
  EXPECT_EQ(median_stop(0.1, std::vector{0.3, 0.9, 0.2}, 3), (MedianStop{true, 0.1, 0.3, 3}));
  EXPECT_EQ(median_stop(0.1, {}, 0), (MedianStop{false, 0.1, 0, 0}));
}

RC_GTEST_PROP(MedianStopProperty, AtMostHalfAreBelowTheMedian, ()) {
  std::vector<double> averages;
  const auto count = *rc::gen::inRange(1, 30);
  for (int i = 0; i < count; ++i) averages.push_back(*rc::gen::inRange(0, 20));
  const double own = *rc::gen::inRange(0, 20);
  const MedianStop result = median_stop(own, averages, 1);
  const auto below = std::count_if(averages.begin(), averages.end(),
                                   [&](double average) { return average < result.median; });
  const auto above = std::count_if(averages.begin(), averages.end(),
                                   [&](double average) { return average > result.median; });
  RC_ASSERT(2 * below <= count);
  RC_ASSERT(2 * above <= count);
  RC_ASSERT(result.stop == (own < result.median));
  std::reverse(averages.begin(), averages.end());
  RC_ASSERT(median_stop(own, averages, 1) == result);
}

// Others took 3,000, 1,500 and 4,000 iterations. For the first place a trial must be there at
// 1,500, for the second at 3,000.
TEST(CannotWin, ByHand) {
  const std::vector<std::int64_t> costs = {3000, 1500, 4000};
  EXPECT_EQ(cannot_win(1500, costs, 1), (CannotWin{false, 1500, 1500, 3}));  // a tie may still come
  EXPECT_EQ(cannot_win(2000, costs, 1), (CannotWin{true, 2000, 1500, 3}));
  EXPECT_EQ(cannot_win(2000, costs, 2), (CannotWin{false, 2000, 3000, 3}));
  EXPECT_EQ(cannot_win(9000, costs, 4), (CannotWin{false, 9000, 0, 3}));
  EXPECT_EQ(cannot_win(9000, {}, 1), (CannotWin{false, 9000, 0, 0}));
}

// Who is stopped would not have been among the best, whatever its cost had been.
RC_GTEST_PROP(CannotWinProperty, StopsNoWinner, ()) {
  std::vector<std::int64_t> costs;
  const auto count = *rc::gen::inRange(0, 10);
  for (int i = 0; i < count; ++i) costs.push_back(*rc::gen::inRange(1, 50));
  const auto next = *rc::gen::inRange<std::int64_t>(1, 50);
  const auto places = *rc::gen::inRange<std::size_t>(1, 5);
  const auto cheaper =
      std::count_if(costs.begin(), costs.end(), [&](auto cost) { return cost < next; });
  RC_ASSERT(cannot_win(next, costs, places).stop ==
            (cheaper >= static_cast<std::ptrdiff_t>(places)));
}

}  // namespace
}  // namespace lrtune

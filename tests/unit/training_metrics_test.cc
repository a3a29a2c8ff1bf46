#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "worker/training/metrics.h"

namespace lrtune {
namespace {

PartMetrics metrics_of(const std::vector<float>& logits, const std::vector<std::int64_t>& labels,
                       int classes) {
  MetricSum sum;
  sum.add(logits, labels, classes);
  return sum.mean();
}

TEST(MetricsTest, LossIsMeanCrossEntropy) {
  const PartMetrics metrics = metrics_of({0, 0, 0, 1, 2, 3}, {1, 2}, 3);
  const double second = -(3 - std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0)));
  EXPECT_NEAR(metrics.loss, (std::log(3.0) + second) / 2, 1e-12);
}

TEST(MetricsTest, TopOneAndTopFiveCountClassesAhead) {
  const std::vector<float> row{7, 6, 5, 4, 3, 2, 1};
  for (std::int64_t label = 0; label < 7; ++label) {
    const PartMetrics metrics = metrics_of(row, {label}, 7);
    EXPECT_EQ(metrics.top1, label == 0 ? 1 : 0) << label;
    EXPECT_EQ(metrics.top5, label < 5 ? 1 : 0) << label;
  }
}

TEST(MetricsTest, OfEqualLogitsTheLowerClassGoesFirst) {
  EXPECT_EQ(metrics_of({1, 1}, {0}, 2).top1, 1);
  EXPECT_EQ(metrics_of({1, 1}, {1}, 2).top1, 0);
}

TEST(MetricsTest, NanLogitsAreWrong) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t label = 0; label < 3; ++label) {
    const PartMetrics metrics = metrics_of({nan, 1, 2}, {label}, 3);
    EXPECT_EQ(metrics.top1, 0) << label;
    EXPECT_EQ(metrics.top5, 0) << label;
    EXPECT_TRUE(std::isnan(metrics.loss)) << label;
  }
}

TEST(MetricsTest, LargeLogitsStayFiniteAndInfiniteOnesDoNot) {
  EXPECT_NEAR(metrics_of({3e38f, 0}, {0}, 2).loss, 0, 1e-12);
  EXPECT_NEAR(metrics_of({3e38f, 0}, {1}, 2).loss / 3e38f, 1, 1e-6);
  EXPECT_FALSE(std::isfinite(metrics_of({std::numeric_limits<float>::infinity(), 0}, {0}, 2).loss));
}

TEST(MetricsTest, SumsDoNotDependOnHowSamplesAreCut) {
  const std::vector<float> logits{1, 2, 4, 3, 5, 5, 7, 1};
  const std::vector<std::int64_t> labels{0, 0, 1, 1};
  MetricSum cut;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    cut.add(std::span(logits).subspan(2 * i, 2), std::span(labels).subspan(i, 1), 2);
  }
  EXPECT_EQ(cut.mean(), metrics_of(logits, labels, 2));
}

TEST(MetricsTest, TargetsAreReachedFromTheRightSide) {
  const PartMetrics metrics{.loss = 0.5, .top1 = 0.9};
  EXPECT_TRUE(reaches({Measure::kTop1, 0.9}, metrics));
  EXPECT_FALSE(reaches({Measure::kTop1, 0.91}, metrics));
  EXPECT_TRUE(reaches({Measure::kLoss, 0.5}, metrics));
  EXPECT_FALSE(reaches({Measure::kLoss, 0.49}, metrics));
}

}  // namespace
}  // namespace lrtune

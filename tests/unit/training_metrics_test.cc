#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "worker/training/metrics.h"

namespace lrtune {
namespace {

PartMetrics metrics_of(const std::vector<float>& logits, const std::vector<std::int64_t>& labels,
                       int classes) {
  MetricSum sum(classes);
  sum.add(logits, labels);
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
  MetricSum cut(2);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    cut.add(std::span(logits).subspan(2 * i, 2), std::span(labels).subspan(i, 1));
  }
  EXPECT_EQ(cut.mean(), metrics_of(logits, labels, 2));
}

// Logits of a row that is class `label` with the probability p, of two.
std::vector<float> sure(std::int64_t label, double p) {
  const auto margin = static_cast<float>(std::log(p / (1 - p)));
  return label == 0 ? std::vector<float>{margin, 0} : std::vector<float>{0, margin};
}

TEST(MetricsTest, ConfidenceIsOfTheRightSamples) {
  MetricSum sum(2);
  const auto add = [&](std::int64_t label, double p) {
    sum.add(sure(label, p), std::vector<std::int64_t>{label});
  };
  for (const double p : {0.6, 0.8}) add(0, p);
  for (const double p : {0.9, 0.2}) add(1, p);  // the second is wrong, and sure of it
  const Confidence confidence = sum.mean().confidence.value();
  const double mean = (0.6 + 0.8 + 0.9) / 3;
  EXPECT_NEAR(confidence.mean, mean, 1e-7);
  const double squares = (0.6 * 0.6 + 0.8 * 0.8 + 0.9 * 0.9) / 3;
  EXPECT_NEAR(confidence.deviation, std::sqrt(squares - mean * mean), 1e-7);
  EXPECT_NEAR(confidence.class_deviation, (0.9 - 0.7) / 2, 1e-7);
  EXPECT_EQ(confidence.classes_left_out, 0);
}

TEST(MetricsTest, ASmallDeviationOfNearlySureSamplesKeepsItsDigits) {
  MetricSum sum(2);
  for (const double below : {1e-6, 3e-6}) {
    sum.add(sure(0, 1 - below), std::vector<std::int64_t>{0});
  }
  EXPECT_NEAR(sum.mean().confidence->deviation, 1e-6, 1e-12);
}

TEST(MetricsTest, ClassesWithoutARightSampleAreLeftOut) {
  const PartMetrics some = metrics_of({4, 0, 0, 4, 0, 0}, {0, 1}, 3);
  EXPECT_EQ(some.confidence->classes_left_out, 2);
  EXPECT_EQ(some.confidence->class_deviation, 0);
  const PartMetrics none = metrics_of({4, 0, 0}, {1}, 3);
  EXPECT_EQ(none.confidence, (Confidence{0, 0, 0, 3}));
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

// Loss, accuracy and confidence of a classifier over many samples, summed in double (version
// kMetricVersion).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/training.h"

namespace lrtune {

class MetricSum {
 public:
  explicit MetricSum(int classes) : confidence_(static_cast<std::size_t>(classes)) {}

  // `logits` is labels.size() x classes, row by row; labels from 0 to classes - 1. A sample counts
  // as right (top-1), or among the best five, by the number of classes with a higher logit, or an
  // equal one and a lower number. A row with a NaN is wrong and makes the loss NaN.
  void add(std::span<const float> logits, std::span<const std::int64_t> labels);

  PartMetrics mean() const;  // REQUIRES: at least one sample was added

 private:
  // Of the right samples of one class. Trained networks are nearly sure, so it is 1 - confidence
  // that is summed: it keeps its digits.
  struct ClassConfidence {
    std::int64_t samples = 0;
    double below = 0;    // sum of 1 - confidence
    double squares = 0;  // sum of (1 - confidence)^2
  };
  Confidence confidence() const;

  std::vector<ClassConfidence> confidence_;
  double loss_ = 0;
  std::int64_t top1_ = 0;
  std::int64_t top5_ = 0;
  std::int64_t samples_ = 0;
};

}  // namespace lrtune

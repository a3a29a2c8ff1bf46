// Loss and accuracy of a classifier over many samples, summed in double (version kMetricVersion).
#pragma once

#include <cstdint>
#include <span>

#include "common/training.h"

namespace lrtune {

class MetricSum {
 public:
  // `logits` is labels.size() x classes, row by row. A sample counts as right (top-1), or among the
  // best five, by the number of classes with a higher logit, or an equal one and a lower number. A
  // row with a NaN is wrong and makes the loss NaN.
  void add(std::span<const float> logits, std::span<const std::int64_t> labels, int classes);

  PartMetrics mean() const;  // REQUIRES: at least one sample was added

 private:
  double loss_ = 0;
  std::int64_t top1_ = 0;
  std::int64_t top5_ = 0;
  std::int64_t samples_ = 0;
};

// The metrics meet the target: top1 at least, loss at most its value. A NaN does not.
bool reaches(const Target& target, const PartMetrics& metrics);

}  // namespace lrtune

#include "worker/training/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace lrtune {
namespace {

struct RowResult {
  double loss = 0;
  std::size_t ahead = 0;  // classes that come before the label's
};

RowResult score_row(std::span<const float> row, std::size_t label) {
  const float target = row[label];
  float highest = row[0];
  std::size_t ahead = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (std::isnan(row[i])) return {std::numeric_limits<double>::quiet_NaN(), row.size()};
    highest = std::max(highest, row[i]);
    if (row[i] > target || (row[i] == target && i < label)) ++ahead;
  }
  double sum = 0;  // of exponentials, relative to the highest, which keeps them finite
  for (const float logit : row) sum += std::exp(static_cast<double>(logit) - highest);
  return {std::log(sum) + highest - target, ahead};
}

}  // namespace

void MetricSum::add(std::span<const float> logits, std::span<const std::int64_t> labels,
                    int classes) {
  const auto width = static_cast<std::size_t>(classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const RowResult row =
        score_row(logits.subspan(i * width, width), static_cast<std::size_t>(labels[i]));
    loss_ += row.loss;
    // With fewer than six classes a wrong row must still not count among the best five.
    const bool valid = row.ahead < width;
    if (valid && row.ahead < 1) ++top1_;
    if (valid && row.ahead < 5) ++top5_;
  }
  samples_ += std::ssize(labels);
}

PartMetrics MetricSum::mean() const {
  const auto count = static_cast<double>(samples_);
  return {.loss = loss_ / count,
          .top1 = static_cast<double>(top1_) / count,
          .top5 = static_cast<double>(top5_) / count};
}

bool reaches(const Target& target, const PartMetrics& metrics) {
  return target.measure == Measure::kTop1 ? metrics.top1 >= target.value
                                          : metrics.loss <= target.value;
}

}  // namespace lrtune

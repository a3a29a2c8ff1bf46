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
  double others = 0;      // if none does: exponentials of the others, relative to the label's
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
  return {std::log(sum) + highest - target, ahead, sum - 1};
}

}  // namespace

void MetricSum::add(std::span<const float> logits, std::span<const std::int64_t> labels) {
  const std::size_t width = confidence_.size();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    const RowResult row = score_row(logits.subspan(i * width, width), label);
    loss_ += row.loss;
    // With fewer than six classes a wrong row must still not count among the best five.
    const bool valid = row.ahead < width;
    if (valid && row.ahead < 1) {
      ++top1_;
      ClassConfidence& of_class = confidence_[label];
      // An infinite logit is sure of itself.
      const double below = std::isfinite(row.others) ? row.others / (1 + row.others) : 0;
      ++of_class.samples;
      of_class.below += below;
      of_class.squares += below * below;
    }
    if (valid && row.ahead < 5) ++top5_;
  }
  samples_ += std::ssize(labels);
}

PartMetrics MetricSum::mean() const {
  const auto count = static_cast<double>(samples_);
  return {.loss = loss_ / count,
          .top1 = static_cast<double>(top1_) / count,
          .top5 = static_cast<double>(top5_) / count,
          .confidence = confidence()};
}

Confidence MetricSum::confidence() const {
  Confidence result;
  ClassConfidence samples;  // over all classes
  ClassConfidence classes;  // one sample for each class, its mean
  for (const ClassConfidence& one : confidence_) {
    if (one.samples == 0) continue;
    const double mean = one.below / static_cast<double>(one.samples);
    classes.samples += 1;
    classes.below += mean;
    classes.squares += mean * mean;
    samples.samples += one.samples;
    samples.below += one.below;
    samples.squares += one.squares;
  }
  result.classes_left_out = static_cast<int>(std::ssize(confidence_) - classes.samples);
  if (classes.samples == 0) return result;
  const auto deviation = [](const ClassConfidence& of) {
    const auto count = static_cast<double>(of.samples);
    const double mean = of.below / count;
    return std::sqrt(std::max(0.0, of.squares / count - mean * mean));
  };
  result.mean = 1 - samples.below / static_cast<double>(samples.samples);
  result.deviation = deviation(samples);
  result.class_deviation = deviation(classes);
  return result;
}

}  // namespace lrtune

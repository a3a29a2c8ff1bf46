// What a series of M-opt (formula 7, docs/METRICS.md) says about the schedule that was applied: how
// well the two agree, and the schedule that it recommends instead. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "common/policy/policy.h"
#include "common/training.h"

namespace lrtune {

struct MoptAgreement {
  std::int64_t values = 0;   // with a value and an applied rate above 0: those that compare
  std::int64_t without = 0;  // all others
  double mean_log10 = 0;     // mean of |log10(applied / M-opt)|: 0 agrees, 1 is a factor of ten
  double median_ratio = 1;   // of applied / M-opt: above 1, the rates are higher than M-opt's
  bool operator==(const MoptAgreement&) const = default;
};

// Nothing if no value compares.
std::optional<MoptAgreement> agreement(std::span<const MoptValue> series);

// The bounds of what is recommended: M-opt is an estimate at one point, of one batch.
struct MoptBounds {
  std::size_t most_segments = 5;
  std::size_t least_values = 3;  // of a segment
  double most_factor = 10;       // beyond the lowest and the highest rate that was applied
  // A further segment must lower the sum of squared deviations, of log10 of the rate, by at least
  // this share of what it is with one segment.
  double least_gain = 0.1;
};

// Fixed rates, one a segment: the piecewise constant function that fits log10 of the series best in
// least squares, its number of segments as the bounds say. Each value first comes within
// most_factor of the applied rates. A segment begins where its first window did. Nothing if fewer
// than least_values compare. `series` ascends by iteration; it may have thousands of values: above
// 1,000 they are taken in groups of equal size, by the mean of their logarithms.
std::optional<Policy> recommended(std::span<const MoptValue> series, const MoptBounds& bounds = {});

}  // namespace lrtune

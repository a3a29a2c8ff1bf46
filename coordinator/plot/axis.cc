#include "coordinator/plot/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lrtune {
namespace {

constexpr double kPadding = 0.04;  // share of the data's extent

int exponent_of(double value) { return static_cast<int>(std::floor(std::log10(value))); }

// 1, 2 or 5 times a power of ten, at least `rough`.
double round_step(double rough) {
  const double power = std::pow(10.0, exponent_of(rough));
  const double mantissa = rough / power;
  return power * (mantissa <= 1.0001 ? 1 : mantissa <= 2.0001 ? 2 : mantissa <= 5.0001 ? 5 : 10);
}

std::string with_thousands(double value) {
  const std::string digits = fmt::format("{:.0f}", std::abs(value));
  std::string text = value < 0 ? "-" : "";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

// 2.5e-05 -> 2.5e-5
std::string scientific(double value, int digits) {
  std::string text = fmt::format("{:.{}e}", value, digits);
  const std::size_t exponent = text.find('e') + 1;
  std::size_t zero = exponent + (text[exponent] == '-' || text[exponent] == '+' ? 1 : 0);
  while (zero + 1 < text.size() && text[zero] == '0') text.erase(zero, 1);
  if (text[exponent] == '+') text.erase(exponent, 1);
  return text;
}

// `value` with as many digits as ticks `step` apart need; `largest` is the axis's largest
// magnitude.
std::string label_of(double value, double step, double largest) {
  if (value == 0) return "0";
  if (largest < 2e-3 || largest >= 1e7) {
    return scientific(value, std::clamp(exponent_of(std::abs(value)) - exponent_of(step), 0, 15));
  }
  if (step >= 0.9999) return with_thousands(value);
  return fmt::format("{:.{}f}", value, -exponent_of(step * 1.0001));
}

std::string decade_label(double value) {
  if (value >= 0.9e-3 && value < 1) return fmt::format("{:g}", value);
  return value >= 1 && value < 1e7 ? with_thousands(value) : scientific(value, 0);
}

}  // namespace

Axis::Axis(double low, double high, bool log, bool pad, int wanted)
    : low_(low), high_(high), log_(log) {
  if (pad || low == high) log ? pad_log() : pad_linear();
  if (log_ && high_ / low_ >= 8) {
    place_decades();
  } else {
    place_linear_ticks(wanted);
  }
}

void Axis::pad_linear() {
  const double middle = std::max(std::abs(low_), std::abs(high_));
  // A range that is only rounding error counts as one value.
  const bool one_value = high_ - low_ <= 1e-9 * middle;
  const double extra = one_value ? (middle == 0 ? 1 : 0.1 * middle) : kPadding * (high_ - low_);
  // Rates and losses that come near 0 are shown from 0 on.
  const bool from_zero = low_ >= 0 && low_ < 0.3 * high_;
  low_ = from_zero ? 0 : low_ >= 0 ? std::max(0.0, low_ - extra) : low_ - extra;
  high_ += extra;
}

void Axis::pad_log() {
  const double factor = low_ == high_ ? 1.5 : std::pow(high_ / low_, kPadding);
  low_ /= factor;
  high_ *= factor;
}

double Axis::position(double value) const {
  if (log_) return (std::log(value) - std::log(low_)) / (std::log(high_) - std::log(low_));
  return (value - low_) / (high_ - low_);
}

void Axis::place_linear_ticks(int wanted) {
  const double step = round_step((high_ - low_) / wanted);
  // Iterations 0 to 9999 make an axis up to 10,000.
  const double next = std::ceil(high_ / step) * step;
  if (!log_ && next - high_ < 0.004 * (high_ - low_)) high_ = std::max(high_, next);
  const double largest = std::max(std::abs(low_), std::abs(high_));
  const double slack = 1e-9 * (high_ - low_);
  const double first = std::ceil((low_ - slack) / step);
  for (int i = 0; i <= 3 * wanted; ++i) {
    const double value = (first + i) * step;
    if (value > high_ + slack) break;
    ticks_.push_back({value, label_of(value, step, largest)});
  }
}

// Labels at powers of ten, every n-th where there are many; at 2 and 5 where there are few.
void Axis::place_decades() {
  const int first = exponent_of(low_);
  const int last = exponent_of(high_);
  const int every = 1 + (last - first) / 8;
  const bool few = last - first <= 2;
  for (int exponent = first; exponent <= last; ++exponent) {
    const double decade = std::pow(10.0, exponent);
    for (int digit = 1; digit <= 9; ++digit) {
      const double value = digit * decade;
      if (value < low_ || value > high_) continue;
      const bool labelled =
          digit == 1 ? (exponent - first) % every == 0 : few && (digit == 2 || digit == 5);
      if (labelled) ticks_.push_back({value, decade_label(value)});
      if (!labelled && every == 1) ticks_.push_back({value, ""});
    }
  }
}

}  // namespace lrtune

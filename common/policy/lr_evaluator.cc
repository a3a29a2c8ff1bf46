#include "common/policy/lr_evaluator.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lrtune {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

bool has_gamma_power(LrFunctionKind kind) {
  using enum LrFunctionKind;
  switch (kind) {
    case kStep:
    case kNstep:
    case kExp:
    case kTriexp:
    case kDtriexp:
    case kSinexp:
    case kDsinexp:
    case kCosexp:
    case kUpcosexp:
    case kRswexp:
    case kSinrswexp:
    case kCosrswexp:
      return true;
    default:
      return false;
  }
}

// from + (to - from) * w, exact at w = 0 and w = 1 and never outside of the two for w in between.
double blend(double from, double to, double w) {
  if (w <= 0.5 || w > 1) return std::min(from + (to - from) * w, kLargest);
  return to - (to - from) * (1 - w);
}

double power_of_half(std::int64_t n) {
  return n > 1074 ? 0.0 : std::ldexp(1.0, -static_cast<int>(n));
}

// k0 / (1 + e^(slope * since)), without a difference of large numbers.
double sigmoid(double k0, double slope, std::int64_t since) {
  const auto exponent = static_cast<double>(since);
  if (slope * exponent <= 0) return k0 / (1 + exp_of_product({slope, 0}, exponent));
  const double small = exp_of_product({-slope, 0}, exponent);
  return k0 * (small / (1 + small));
}

}  // namespace

LrEvaluator::LrEvaluator(const LrFunction& function)
    : function_(function),
      cyclic_(family_of(function.kind) == LrFamily::kCyclic),
      l_(std::max<std::int64_t>(function.l, 1)),
      low_(std::min(function.k0, function.k1)),
      high_(std::max(function.k0, function.k1)) {
  if (has_gamma_power(function.kind)) log_gamma_ = log_of(function.gamma);
  if (cyclic_) shape_ = cyclic_shape(function.kind);
}

double LrEvaluator::at(std::int64_t t) const {
  if (cyclic_) return cyclic_at(t, {t / (2 * l_), t % (2 * l_)});
  return decaying_at(t);
}

double LrEvaluator::decaying_at(std::int64_t t) const {
  const LrFunction& f = function_;
  const auto real_t = static_cast<double>(t);
  switch (f.kind) {
    case LrFunctionKind::kStep: {
      const std::int64_t n = t / l_;
      return std::min(f.k0 * exp_of_product(log_gamma_, static_cast<double>(n)), kLargest);
    }
    case LrFunctionKind::kNstep: {
      const auto passed = std::upper_bound(f.boundaries.begin(), f.boundaries.end(), t);
      const auto n = static_cast<double>(passed - f.boundaries.begin());
      return std::min(f.k0 * exp_of_product(log_gamma_, n), kLargest);
    }
    case LrFunctionKind::kExp:
      return std::min(f.k0 * exp_of_product(log_gamma_, real_t), kLargest);
    case LrFunctionKind::kInv:
      return f.k0 * power_of(1 + f.gamma * real_t, -f.p);
    case LrFunctionKind::kPoly:
      if (t >= l_) return f.k1;
      return blend(f.k1, f.k0,
                   power_of(static_cast<double>(l_ - t) / static_cast<double>(l_), f.p));
    case LrFunctionKind::kSig:
      return sigmoid(f.k0, -f.gamma, t - f.l);
    default:
      return f.k0;
  }
}

double LrEvaluator::wave(Phase phase) const {
  std::int64_t part = 0;
  if (shape_.sawtooth) {
    const std::int64_t past = phase.offset % l_;
    part = past == 0 ? 0 : l_ - past;
  } else {
    part = std::min(phase.offset, 2 * l_ - phase.offset);
    if (shape_.shifted) part = l_ - part;
  }
  if (shape_.wave == CyclicShape::Wave::kLinear)
    return static_cast<double>(part) / static_cast<double>(l_);
  const double sine = sine_of_quarter(part, l_);
  return shape_.wave == CyclicShape::Wave::kSine ? sine : sine * sine;
}

double LrEvaluator::envelope(std::int64_t t, Phase phase) const {
  if (shape_.envelope == CyclicShape::Envelope::kNone) return 1;
  if (shape_.envelope == CyclicShape::Envelope::kExponential) {
    return exp_of_product(log_gamma_, static_cast<double>(t));
  }
  const std::int64_t second_half = phase.offset >= l_ ? 1 : 0;
  if (shape_.sawtooth) return power_of_half(2 * phase.cycle + second_half);
  return power_of_half(phase.cycle + (shape_.shifted ? second_half : 0));
}

double LrEvaluator::cyclic_at(std::int64_t t, Phase phase) const {
  return blend(low_, high_, wave(phase) * envelope(t, phase));
}

void LrEvaluator::fill(std::int64_t first, std::span<double> rates) const {
  if (cyclic_) return fill_cyclic(first, rates);
  if (function_.kind == LrFunctionKind::kStep) return fill_steps(first, rates);
  for (double& rate : rates) rate = decaying_at(first++);
}

void LrEvaluator::fill_cyclic(std::int64_t first, std::span<double> rates) const {
  Phase phase{first / (2 * l_), first % (2 * l_)};
  for (double& rate : rates) {
    rate = cyclic_at(first++, phase);
    if (++phase.offset == 2 * l_) phase = {phase.cycle + 1, 0};
  }
}

void LrEvaluator::fill_steps(std::int64_t first, std::span<double> rates) const {
  while (!rates.empty()) {
    const auto left =
        static_cast<std::uint64_t>(l_ - first % l_);  // of the step that `first` is in
    const std::size_t count = std::min<std::uint64_t>(left, rates.size());
    std::fill_n(rates.begin(), count, decaying_at(first));
    rates = rates.subspan(count);
    first += static_cast<std::int64_t>(count);
  }
}

}  // namespace lrtune

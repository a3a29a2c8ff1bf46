#include "coordinator/tuning/range_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <set>

#include "coordinator/tuning/settled_order.h"

namespace lrtune {

std::optional<FlatPart> flat_part(std::span<const std::optional<double>> accuracy,
                                  const RangeTestOptions& options) {
  const auto at = [&](std::size_t i) { return accuracy[i].value_or(options.chance); };
  FlatPart part;
  for (std::size_t i = 1; i < accuracy.size(); ++i) {
    if (at(i) > at(part.top)) part.top = i;
  }
  const double rise = accuracy.empty() ? 0 : at(part.top) - options.chance;
  if (!(rise > 0) || rise < options.least_rise) return std::nullopt;
  const double flat = at(part.top) - options.band * rise;
  part.first = part.last = part.top;
  while (part.first > 0 && at(part.first - 1) >= flat) --part.first;
  while (part.last + 1 < accuracy.size() && at(part.last + 1) >= flat) ++part.last;
  return part;
}

namespace {

// Where a bound lies for one seed: at the last rate inside the flat part, before the first outside.
struct Bracket {
  double inside = 0;
  double outside = 0;
};

double mean_logarithm(std::span<const Bracket> brackets, double Bracket::*end) {
  double sum = 0;
  for (const Bracket& bracket : brackets) sum += std::log(bracket.*end);
  return sum / static_cast<double>(brackets.size());
}

// Half the width of Student's interval of the mean logarithm; 0 with one seed.
double reach_over_seeds(std::span<const Bracket> brackets, double confidence) {
  if (brackets.size() < 2) return 0;
  std::vector<double> logarithms;
  for (const Bracket& bracket : brackets) logarithms.push_back(std::log(bracket.inside));
  const Sample sample = sample_of(logarithms);
  const boost::math::students_t t(static_cast<double>(sample.count - 1));
  return boost::math::quantile(boost::math::complement(t, (1 - confidence) / 2)) *
         sample.deviation / std::sqrt(static_cast<double>(sample.count));
}

RangeBound bound_of(std::span<const Bracket> brackets, const RangeTestOptions& options) {
  RangeBound bound;
  const bool agree = std::all_of(brackets.begin(), brackets.end(), [&](const Bracket& bracket) {
    return bracket.inside == brackets.front().inside;
  });
  const double inside = mean_logarithm(brackets, &Bracket::inside);
  const double outside = mean_logarithm(brackets, &Bracket::outside);
  const double reach = reach_over_seeds(brackets, options.confidence);
  bound.rate = agree ? brackets.front().inside : std::exp(inside);
  bound.low = std::exp(std::min(inside, outside) - reach);
  bound.high = std::exp(std::max(inside, outside) + reach);
  if (std::any_of(brackets.begin(), brackets.end(),
                  [](const Bracket& bracket) { return bracket.inside == bracket.outside; })) {
    bound.why = CannotTell::kOutsideGrid;
  } else if (bound.high > options.widest * bound.low) {
    bound.why = CannotTell::kSeedsDisagree;
  }
  return bound;
}

struct Bounds {
  RangeBound lower;
  RangeBound upper;
};

using FindPart = std::optional<FlatPart> (*)(std::span<const std::optional<double>>,
                                             const RangeTestOptions&);

Bounds bounds_at(std::span<const double> rates, std::span<const RangeCurve> curves,
                 std::int64_t iterations, const RangeTestOptions& options, FindPart find_part) {
  std::vector<Bracket> lower;
  std::vector<Bracket> upper;
  for (const RangeCurve& curve : curves) {
    if (curve.iterations != iterations) continue;
    const auto part = find_part(curve.accuracy, options);
    if (!part) {
      const RangeBound nothing{.why = CannotTell::kNothingLearned};
      return {nothing, nothing};
    }
    lower.push_back({rates[part->first], rates[part->first - (part->first > 0 ? 1 : 0)]});
    upper.push_back({rates[part->last], rates[std::min(part->last + 1, rates.size() - 1)]});
  }
  Bounds bounds{bound_of(lower, options), bound_of(upper, options)};
  if (bounds.lower.rate >= bounds.upper.rate) {
    for (RangeBound* bound : {&bounds.lower, &bounds.upper}) {
      if (bound->why == CannotTell::kCanTell) bound->why = CannotTell::kTooCoarse;
    }
  }
  return bounds;
}

void keep_bounds(LearningRateRange& range, const Bounds& bounds) {
  range.lower = bounds.lower;
  range.upper = bounds.upper;
  if (range.lower.why != CannotTell::kCanTell || range.upper.why != CannotTell::kCanTell) return;
  range.left = std::max(0.0, std::min(1.0, range.upper.rate) - range.lower.rate);
}

}  // namespace

LearningRateRange analyse_range(std::span<const double> rates, std::span<const RangeCurve> curves,
                                const RangeTestOptions& options) {
  assert(rates.size() >= 3 && !curves.empty() && std::is_sorted(rates.begin(), rates.end()));
  std::set<std::int64_t> lengths;
  std::set<std::uint32_t> seeds;
  for (const RangeCurve& curve : curves) {
    assert(curve.accuracy.size() == rates.size());
    lengths.insert(curve.iterations);
    seeds.insert(curve.repeat);
  }
  LearningRateRange range{.iterations = *lengths.rbegin(), .seeds = std::ssize(seeds), .left = 1};
  keep_bounds(range, bounds_at(rates, curves, range.iterations, options, flat_part));
  const bool lower_known = range.lower.why == CannotTell::kCanTell;
  if (lengths.size() > 1) {
    const Bounds shorter =
        bounds_at(rates, curves, *std::next(lengths.rbegin()), options, flat_part);
    if (lower_known && shorter.lower.why == CannotTell::kCanTell) {
      range.lower_fell = shorter.lower.rate / range.lower.rate;
    }
  }
  return range;
}

std::optional<FlatPart> ramp_part(std::span<const std::optional<double>> accuracy,
                                  const RangeTestOptions& options) {
  auto part = flat_part(accuracy, options);
  if (!part) return part;
  const double rise = *accuracy[part->top] - options.chance;
  const auto has_risen = [&](const std::optional<double>& value) {
    return value && *value >= options.chance + options.band * rise;
  };
  part->first = static_cast<std::size_t>(std::find_if(accuracy.begin(), accuracy.end(), has_risen) -
                                         accuracy.begin());
  return part;
}

LearningRateRange analyse_ramp(std::span<const double> rates, std::span<const RangeCurve> curves,
                               const RangeTestOptions& options) {
  assert(rates.size() >= 3 && !curves.empty() && std::is_sorted(rates.begin(), rates.end()));
  LearningRateRange range{
      .iterations = curves.front().iterations, .seeds = std::ssize(curves), .left = 1};
  keep_bounds(range, bounds_at(rates, curves, range.iterations, options, ramp_part));
  return range;
}

double four_digits(double rate) {
  return std::strtod(fmt::format("{:.3e}", rate).c_str(),
                     nullptr);  // std::stod throws below 1e-307
}

ParameterEstimate estimate_parameters(double lower, double upper, std::int64_t iterations,
                                      std::int64_t epoch_iterations) {
  assert(0 < lower && lower <= upper && iterations >= 2 && epoch_iterations >= 1);
  ParameterEstimate estimate{.k0 = lower, .k1 = upper, .fixed = std::sqrt(lower * upper)};
  const auto length = static_cast<double>(iterations);
  estimate.gamma = std::pow(lower / upper, 1 / length);

  const double epochs = length / static_cast<double>(epoch_iterations);
  const double most = std::max(1.0, std::floor(epochs / 4));   // l of at least 2 epochs
  const double least = std::max(1.0, std::ceil(epochs / 20));  // l of at most 10
  const double cycles = std::clamp(std::round(epochs / 8), std::min(least, most), most);
  estimate.cycles = static_cast<std::int64_t>(cycles);
  estimate.half_cycle = std::max<std::int64_t>(1, iterations / (2 * estimate.cycles));
  const std::int64_t half = std::max<std::int64_t>(1, iterations / 2);
  estimate.half_cycle_low = std::min(2 * epoch_iterations, half);
  estimate.half_cycle_high = std::min(10 * epoch_iterations, half);
  return estimate;
}

}  // namespace lrtune

#include "coordinator/tuning/settled_order.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace lrtune {

Sample sample_of(std::span<const double> values) {
  Sample sample{.count = std::ssize(values)};
  if (values.empty()) return sample;
  const auto count = static_cast<double>(values.size());
  sample.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  if (values.size() < 2) return sample;
  double squares = 0;
  for (const double value : values) squares += (value - sample.mean) * (value - sample.mean);
  sample.deviation = std::sqrt(squares / (count - 1));
  return sample;
}

WelchTest welch_test(const Sample& first, const Sample& second, double confidence) {
  assert(first.count >= 2 && second.count >= 2 && confidence > 0 && confidence < 1);
  const auto share = [](const Sample& sample) {
    return sample.deviation * sample.deviation / static_cast<double>(sample.count);
  };
  const double one = share(first);
  const double other = share(second);
  WelchTest test{.difference = first.mean - second.mean, .error = std::sqrt(one + other)};
  test.low = test.high = test.difference;
  if (!(one + other > 0)) {
    test.p = test.difference == 0 ? 1 : 0;
    return test;
  }
  // (a + b)^2 / (a^2 / m + b^2 / n), with a / (a + b) so that no square is too small
  const double part = one / (one + other);
  test.freedom = 1 / (part * part / static_cast<double>(first.count - 1) +
                      (1 - part) * (1 - part) / static_cast<double>(second.count - 1));
  const boost::math::students_t t(test.freedom);
  test.p = 2 * boost::math::cdf(boost::math::complement(t, std::abs(test.difference) / test.error));
  const double reach =
      test.error * boost::math::quantile(boost::math::complement(t, (1 - confidence) / 2));
  test.low -= reach;
  test.high += reach;
  return test;
}

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t one, std::size_t other) { return p[one] < p[other]; });
  std::vector<double> adjusted(p.size());
  double most = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    most = std::max(most, std::min(1.0, static_cast<double>(order.size() - i) * p[order[i]]));
    adjusted[order[i]] = most;
  }
  return adjusted;
}

namespace {

std::vector<NeighbourOrder> compared(const std::vector<Sample>& samples, double alpha) {
  std::vector<NeighbourOrder> neighbours;
  std::vector<double> p;
  const double confidence = 1 - alpha / static_cast<double>(samples.size() - 1);
  for (std::size_t i = 0; i + 1 < samples.size(); ++i) {
    neighbours.push_back({i, welch_test(samples[i], samples[i + 1], confidence)});
    p.push_back(neighbours.back().test.p);
  }
  const std::vector<double> adjusted = holm_adjusted(p);
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    neighbours[i].adjusted_p = adjusted[i];
    neighbours[i].settled = adjusted[i] <= alpha;
  }
  return neighbours;
}

}  // namespace

SettledOrder settled_order(std::span<const std::vector<double>> values,
                           const OrderOptions& options) {
  assert(options.min_repeats >= 2 && options.min_repeats <= options.max_repeats);
  SettledOrder result;
  std::vector<Sample> samples;
  for (const auto& repeats : values) samples.push_back(sample_of(repeats));
  result.order.resize(values.size());
  std::iota(result.order.begin(), result.order.end(), std::size_t{0});
  std::stable_sort(
      result.order.begin(), result.order.end(),
      [&](std::size_t one, std::size_t other) { return samples[one].mean > samples[other].mean; });
  for (const std::size_t place : result.order) result.samples.push_back(samples[place]);
  const auto looks = static_cast<double>(options.max_repeats - options.min_repeats + 1);
  result.look_alpha = options.alpha / looks;

  std::set<std::size_t> wanted;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].count < options.min_repeats) wanted.insert(i);
  }
  if (wanted.empty() && values.size() > 1) {
    result.neighbours = compared(result.samples, result.look_alpha);
  }
  bool all_settled = wanted.empty();
  for (const NeighbourOrder& pair : result.neighbours) {
    if (pair.settled) continue;
    all_settled = false;
    for (const std::size_t rank : {pair.better, pair.better + 1}) {
      const std::size_t place = result.order[rank];
      if (samples[place].count < options.max_repeats) wanted.insert(place);
    }
  }
  if (values.size() < 2) {
    result.state = OrderState::kSettled;
    return result;
  }
  result.repeat.assign(wanted.begin(), wanted.end());
  result.state = all_settled      ? OrderState::kSettled
                 : wanted.empty() ? OrderState::kUnsettled
                                  : OrderState::kRepeat;
  return result;
}

}  // namespace lrtune

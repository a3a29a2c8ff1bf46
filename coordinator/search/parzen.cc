#include "coordinator/search/parzen.h"

#include <algorithm>
#include <cmath>

#include "common/policy/portable_math.h"

namespace lrtune {
namespace {

constexpr double kSqrtTwoPi = 2.5066282746310002;
constexpr double kFarOut = 8.5;  // beyond it the tail is below 1e-17

}  // namespace

double normal_density(double x) {
  if (std::abs(x) > 38) return 0;
  return exp_of_product({1, 0}, -x * x / 2) / kSqrtTwoPi;
}

// 1/2 + density(x) * (x + x^3/3 + x^5/(3*5) + ...), Marsaglia 2004; all terms have one sign.
double normal_distribution(double x) {
  if (x > kFarOut) return 1;
  if (x < -kFarOut) return 0;
  double term = x;
  double sum = x;
  for (double i = 3; sum + term != sum; i += 2) {
    term *= x * x / i;
    sum += term;
  }
  return std::clamp(0.5 + sum * normal_density(x), 0.0, 1.0);
}

ChoiceDensity::ChoiceDensity(std::size_t count, const std::vector<std::size_t>& seen)
    : probabilities_(count, 1) {
  for (const std::size_t value : seen) probabilities_.at(value) += 1;
  const auto total = static_cast<double>(count + seen.size());
  for (double& probability : probabilities_) probability /= total;
}

std::size_t ChoiceDensity::draw(double unit) const {
  double below = 0;
  for (std::size_t value = 0; value + 1 < probabilities_.size(); ++value) {
    below += probabilities_[value];
    if (unit < below) return value;
  }
  return probabilities_.size() - 1;
}

IntervalDensity::IntervalDensity(std::vector<double> seen) {
  std::sort(seen.begin(), seen.end());
  const double least = 1 / std::min(100.0, static_cast<double>(seen.size() + 1));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double left = i == 0 ? 0 : seen[i - 1];
    const double right = i + 1 == seen.size() ? 1 : seen[i + 1];
    Window window{.middle = seen[i],
                  .width = std::clamp(std::max(seen[i] - left, right - seen[i]), least, 1.0)};
    window.below = normal_distribution(-window.middle / window.width);
    window.inside = normal_distribution((1 - window.middle) / window.width) - window.below;
    windows_.push_back(window);
  }
}

double IntervalDensity::Window::distribution(double unit) const {
  return std::clamp((normal_distribution((unit - middle) / width) - below) / inside, 0.0, 1.0);
}

double IntervalDensity::density(double unit) const {
  double sum = 1;
  for (const Window& window : windows_) {
    sum += normal_density((unit - window.middle) / window.width) / (window.width * window.inside);
  }
  return sum / static_cast<double>(windows_.size() + 1);
}

double IntervalDensity::probability(double low, double high) const {
  double sum = high - low;
  for (const Window& window : windows_) sum += window.distribution(high) - window.distribution(low);
  return sum / static_cast<double>(windows_.size() + 1);
}

double IntervalDensity::draw(double part, double place) const {
  const auto parts = static_cast<double>(windows_.size() + 1);
  const auto which = static_cast<std::size_t>(std::min(std::floor(part * parts), parts - 1));
  if (which == 0) return place;
  const Window& window = windows_[which - 1];
  double low = 0;
  double high = 1;
  for (int step = 0; step < 40; ++step) {  // the distribution function grows: halve until 1e-12
    const double middle = low + (high - low) / 2;
    (window.distribution(middle) <= place ? low : high) = middle;
  }
  return low;
}

}  // namespace lrtune

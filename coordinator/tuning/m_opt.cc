#include "coordinator/tuning/m_opt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace lrtune {
namespace {

constexpr std::size_t kMostGroups = 1000;

bool compares(const MoptValue& value) {
  return value.m_opt && *value.m_opt > 0 && value.learning_rate > 0;
}

std::vector<MoptValue> comparing(std::span<const MoptValue> series) {
  std::vector<MoptValue> values;
  std::ranges::copy_if(series, std::back_inserter(values), compares);
  return values;
}

// One or more values that stand together: log10 of what is fitted.
struct Group {
  std::int64_t begin = 0;  // where its first window began
  double log = 0;
};

std::vector<Group> groups_of(const std::vector<MoptValue>& values, double most_factor) {
  const auto [lowest, highest] = std::ranges::minmax(values, {}, &MoptValue::learning_rate);
  const double low = lowest.learning_rate / most_factor;
  const double high = highest.learning_rate * most_factor;
  const std::size_t size = (values.size() + kMostGroups - 1) / kMostGroups;
  std::vector<Group> groups;
  for (std::size_t first = 0; first < values.size(); first += size) {
    const std::size_t end = std::min(first + size, values.size());
    double sum = 0;
    for (std::size_t i = first; i < end; ++i)
      sum += std::log10(std::clamp(*values[i].m_opt, low, high));
    groups.push_back({values[first].iteration - 1, sum / static_cast<double>(end - first)});
  }
  return groups;
}

// Sums over the first n groups, so that a segment's fit costs nothing more.
class Sums {
 public:
  explicit Sums(const std::vector<Group>& groups) : sum_{0}, squares_{0} {
    for (const Group& group : groups) {
      sum_.push_back(sum_.back() + group.log);
      squares_.push_back(squares_.back() + group.log * group.log);
    }
  }
  double mean(std::size_t first, std::size_t end) const {
    return (sum_[end] - sum_[first]) / static_cast<double>(end - first);
  }
  // The sum of squared deviations from the mean.
  double deviation(std::size_t first, std::size_t end) const {
    const double sum = sum_[end] - sum_[first];
    const double rest =
        squares_[end] - squares_[first] - sum * sum / static_cast<double>(end - first);
    return std::max(0.0, rest);
  }

 private:
  std::vector<double> sum_;
  std::vector<double> squares_;
};

// The best ways to cut the first n groups into segments, one segment more with each call of
// extend().
class Cuts {
 public:
  Cuts(const Sums& sums, std::size_t groups, std::size_t least) : sums_(sums), least_(least) {
    auto& costs = costs_.emplace_back(groups + 1, kNever);
    for (std::size_t end = least; end <= groups; ++end) costs[end] = sums.deviation(0, end);
    begins_.emplace_back(groups + 1, 0);
  }

  void extend() {
    const std::vector<double> before = costs_.back();
    auto& costs = costs_.emplace_back(before.size(), kNever);
    auto& begins = begins_.emplace_back(before.size(), 0);
    for (std::size_t end = least_; end < before.size(); ++end) {
      for (std::size_t begin = least_; begin + least_ <= end; ++begin) {
        const double cost = before[begin] + sums_.deviation(begin, end);
        if (cost < costs[end]) {
          costs[end] = cost;
          begins[end] = begin;
        }
      }
    }
  }

  double cost() const { return costs_.back().back(); }

  // Where the segments of the newest cut begin, ascending.
  std::vector<std::size_t> begins() const {
    std::vector<std::size_t> found;
    std::size_t end = costs_.back().size() - 1;
    for (std::size_t segment = begins_.size(); segment-- > 0;) {
      end = begins_[segment][end];
      found.insert(found.begin(), end);
    }
    return found;
  }

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  const Sums& sums_;
  const std::size_t least_;
  std::vector<std::vector<double>> costs_;  // by segments - 1 and groups
  std::vector<std::vector<std::size_t>> begins_;
};

constexpr double kRounding = 1e-12;  // squared, of the logarithm: rates alike to six digits

std::vector<std::size_t> best_begins(const Sums& sums, std::size_t groups,
                                     const MoptBounds& bounds) {
  Cuts cuts(sums, groups, bounds.least_values);
  const double whole = cuts.cost();
  double least = whole;
  std::vector<std::size_t> best = cuts.begins();
  for (std::size_t segments = 2; segments <= bounds.most_segments; ++segments) {
    cuts.extend();
    // Rounding leaves a little where nothing deviates.
    const bool constant = whole < kRounding * static_cast<double>(groups);
    if (!(least - cuts.cost() >= bounds.least_gain * whole) || constant) break;
    least = cuts.cost();
    best = cuts.begins();
  }
  return best;
}

}  // namespace

std::optional<MoptAgreement> agreement(std::span<const MoptValue> series) {
  std::vector<double> logs;
  for (const MoptValue& value : series) {
    if (compares(value)) logs.push_back(std::log10(value.learning_rate / *value.m_opt));
  }
  if (logs.empty()) return std::nullopt;
  MoptAgreement found{.values = std::ssize(logs), .without = std::ssize(series) - std::ssize(logs)};
  for (const double log : logs) found.mean_log10 += std::abs(log);
  found.mean_log10 /= static_cast<double>(logs.size());
  std::ranges::sort(logs);
  const std::size_t half = logs.size() / 2;
  const double median = logs.size() % 2 == 1 ? logs[half] : (logs[half - 1] + logs[half]) / 2;
  found.median_ratio = std::pow(10.0, median);
  return found;
}

std::optional<Policy> recommended(std::span<const MoptValue> series, const MoptBounds& bounds) {
  const std::vector<MoptValue> values = comparing(series);
  if (values.size() < bounds.least_values) return std::nullopt;
  const std::vector<Group> groups = groups_of(values, bounds.most_factor);
  const Sums sums(groups);
  const std::vector<std::size_t> begins = best_begins(sums, groups.size(), bounds);
  Policy policy;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const bool last = i + 1 == begins.size();
    const std::size_t end = last ? groups.size() : begins[i + 1];
    // Three digits: an estimate has no more, and people can write them down.
    const double rate = std::stod(fmt::format("{:.2e}", std::pow(10.0, sums.mean(begins[i], end))));
    policy.segments.push_back({.function = {.kind = LrFunctionKind::kFix, .k0 = rate},
                               .until = last ? kNoEnd : groups[end].begin});
  }
  return policy;
}

}  // namespace lrtune

#include "coordinator/search/stop_rules.h"

#include <algorithm>
#include <cassert>

namespace lrtune {

std::optional<double> running_average(std::span<const MeasuredPoint> points,
                                      std::int64_t iteration) {
  double sum = 0;
  std::int64_t count = 0;
  for (const MeasuredPoint& point : points) {
    if (point.iteration > iteration) continue;
    sum += point.value;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

MedianStop median_stop(double own_best, std::span<const double> averages, std::int64_t min_others) {
  std::vector<double> sorted(averages.begin(), averages.end());
  std::sort(sorted.begin(), sorted.end());
  return median_stop_of_sorted(own_best, sorted, min_others);
}

MedianStop median_stop_of_sorted(double own_best, std::span<const double> sorted,
                                 std::int64_t min_others) {
  MedianStop result{.own_best = own_best, .others = std::ssize(sorted)};
  if (sorted.empty()) return result;
  const std::size_t middle = sorted.size() / 2;
  const bool even = sorted.size() % 2 == 0;
  result.median =
      even ? sorted[middle - 1] + (sorted[middle] - sorted[middle - 1]) / 2 : sorted[middle];
  result.stop = result.others >= min_others && own_best < result.median;
  return result;
}

CannotWin cannot_win(std::int64_t next_evaluation, std::span<const std::int64_t> costs,
                     std::size_t places) {
  assert(places >= 1);
  CannotWin result{.earliest = next_evaluation, .finished = std::ssize(costs)};
  if (costs.size() < places) return result;
  std::vector<std::int64_t> sorted(costs.begin(), costs.end());
  std::sort(sorted.begin(), sorted.end());
  result.to_beat = sorted[places - 1];
  result.stop = next_evaluation > result.to_beat;
  return result;
}

}  // namespace lrtune

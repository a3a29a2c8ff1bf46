// When a running trial is not worth going on with. Pure; each answer has what it rests on, so that
// it can be written down and made again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lrtune {

// A measurement during a run; higher is better.
struct MeasuredPoint {
  std::int64_t iteration = 0;
  double value = 0;  // finite
};

// Mean of the values up to and with `iteration`; none if there are none.
std::optional<double> running_average(std::span<const MeasuredPoint> points,
                                      std::int64_t iteration);

struct MedianStop {
  bool stop = false;
  double own_best = 0;
  double median = 0;        // of the others' running averages; 0 if there are none
  std::int64_t others = 0;  // how many there are
  bool operator==(const MedianStop&) const = default;
};

// The median stopping rule (Golovin et al. 2017, section 3.2.2): a trial is stopped at an iteration
// if its best value until then is strictly below the median of the others' running averages until
// then. `averages`: of the trials that got at least so far (running_average at that iteration);
// fewer than `min_others` never stop one. The median of an even number is the mean of the two in
// the middle.
MedianStop median_stop(double own_best, std::span<const double> averages, std::int64_t min_others);

// The same with averages that are in order already, the lowest first: O(1).
MedianStop median_stop_of_sorted(double own_best, std::span<const double> averages,
                                 std::int64_t min_others);

struct CannotWin {
  bool stop = false;
  std::int64_t earliest = 0;  // the next evaluation: no cost below it is possible
  std::int64_t to_beat =
      0;  // the cost of the `places`-th cheapest trial that has finished; 0 if there are fewer
  std::int64_t finished = 0;  // trials that have reached the target
  bool operator==(const CannotWin&) const = default;
};

// For a ranking by iterations to a target: a trial that has not reached it yet, and will be
// evaluated next at iteration `next_evaluation`, cannot be among the `places` cheapest if that many
// others have reached theirs with fewer iterations. A tie does not stop it. `costs`: iterations
// that the finished ones took to their target. places >= 1.
CannotWin cannot_win(std::int64_t next_evaluation, std::span<const std::int64_t> costs,
                     std::size_t places);

}  // namespace lrtune

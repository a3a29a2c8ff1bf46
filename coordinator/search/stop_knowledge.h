// What stop rules know of the runs that have ended, and what they say of one that has not. Pure;
// the same knowledge gives the same answer, in whatever order it came.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "coordinator/search/stop_rules.h"

namespace lrtune {

// A run of the search as the rules see it.
struct RunSoFar {
  std::vector<MeasuredPoint>
      points;                        // ascending; none of iteration 0, where nothing is trained yet
  std::optional<std::int64_t> cost;  // iterations to the target, if it was met
};

// `points` of a run, by what the ranking goes by; by cost and by seconds the target's measure.
RunSoFar run_so_far(std::span<const MetricPoint> points, RankBy by,
                    const std::optional<Target>& target);

struct EarlyStop {
  std::int64_t iteration = 0;
  nlohmann::json known;  // "rule" and its numbers, as in stop_rules.h
  bool operator==(const EarlyStop&) const = default;
};

class StopKnowledge {
 public:
  explicit StopKnowledge(const StopRules& rules) : rules_(rules) {}

  // A run that has ended well. O(its points * runs before it), all of it in moving numbers.
  void add(const RunSoFar& run);

  // Whether a run stops at its newest point. `next_evaluation`: its next one; `median_after`:
  // iterations before which the median rule stops nothing. O(1).
  std::optional<EarlyStop> judge(const RunSoFar& run, std::int64_t next_evaluation,
                                 std::int64_t median_after) const;

 private:
  StopRules rules_;
  std::map<std::int64_t, std::vector<double>> averages_;  // by iteration, ascending
  std::vector<std::int64_t> costs_;                       // the lowest `places`, ascending
  std::int64_t finished_ = 0;                             // runs that met the target
};

}  // namespace lrtune

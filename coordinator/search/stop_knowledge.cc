#include "coordinator/search/stop_knowledge.h"

#include <algorithm>

namespace lrtune {
namespace {

double value_of(const MetricPoint& point, RankBy by, const std::optional<Target>& target) {
  const bool to_target = by == RankBy::kCost || by == RankBy::kSeconds;
  const bool by_loss =
      by == RankBy::kLoss || (to_target && target && target->measure == Measure::kLoss);
  return by_loss ? -point.evaluated.loss : point.evaluated.top1;
}

template <typename Number>
void insert_sorted(std::vector<Number>& numbers, Number number) {
  numbers.insert(std::upper_bound(numbers.begin(), numbers.end(), number), number);
}

}  // namespace

RunSoFar run_so_far(std::span<const MetricPoint> points, RankBy by,
                    const std::optional<Target>& target) {
  RunSoFar run;
  for (const MetricPoint& point : points) {
    if (point.iteration > 0) run.points.push_back({point.iteration, value_of(point, by, target)});
    if (target && !run.cost && reaches(*target, point.evaluated)) run.cost = point.iteration;
  }
  return run;
}

void StopKnowledge::add(const RunSoFar& run) {
  double sum = 0;
  std::int64_t count = 0;
  for (const MeasuredPoint& point : run.points) {
    sum += point.value;
    insert_sorted(averages_[point.iteration], sum / static_cast<double>(++count));
  }
  if (!run.cost) return;
  ++finished_;
  insert_sorted(costs_, *run.cost);
  const auto places = static_cast<std::size_t>(rules_.cannot_win_places);
  costs_.resize(std::min(costs_.size(), places));
}

std::optional<EarlyStop> StopKnowledge::judge(const RunSoFar& run, std::int64_t next_evaluation,
                                              std::int64_t median_after) const {
  if (run.points.empty()) return std::nullopt;
  const std::int64_t iteration = run.points.back().iteration;
  if (rules_.cannot_win && !run.cost) {
    const CannotWin answer =
        cannot_win(next_evaluation, costs_, static_cast<std::size_t>(rules_.cannot_win_places));
    if (answer.stop) {
      return EarlyStop{iteration,
                       {{"rule", "cannot_win"},
                        {"earliest", answer.earliest},
                        {"to_beat", answer.to_beat},
                        {"finished", finished_}}};
    }
  }
  const auto others = averages_.find(iteration);
  if (!rules_.median || iteration < median_after || others == averages_.end()) return std::nullopt;
  double best = run.points.front().value;
  for (const MeasuredPoint& point : run.points) best = std::max(best, point.value);
  const MedianStop answer = median_stop_of_sorted(best, others->second, rules_.median_others);
  if (!answer.stop) return std::nullopt;
  return EarlyStop{iteration,
                   {{"rule", "median"},
                    {"own_best", answer.own_best},
                    {"median", answer.median},
                    {"others", answer.others}}};
}

}  // namespace lrtune

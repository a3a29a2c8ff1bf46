#include "coordinator/ranking/ranking.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace lrtune {
namespace {

constexpr double kWorst = std::numeric_limits<double>::infinity();

// A number that is not finite would break the order, so it counts as the worst.
using Key = RankKey;

double ascending(double value) { return std::isfinite(value) ? value : kWorst; }
double descending(double value) { return std::isfinite(value) ? -value : kWorst; }

double seconds_of(const MetricPoint& point) { return point.train_seconds + point.evaluate_seconds; }

const PartMetrics& top1_metrics(const Scores& scores, RankAt at) {
  return (at == RankAt::kBest ? scores.best : scores.final).evaluated;
}

const MetricPoint& loss_point(const Scores& scores, RankAt at) {
  return at == RankAt::kBest ? scores.lowest_loss : scores.final;
}

Key measure_key(const Scores& scores, RankBy by, RankAt at) {
  const double top1 = descending(top1_metrics(scores, at).top1);
  switch (by) {
    case RankBy::kTop1:
      return {0, 0, 0, top1};
    case RankBy::kLoss:
      return {0, 0, 0, ascending(loss_point(scores, at).evaluated.loss)};
    case RankBy::kCost:
      if (scores.target_iteration) return {0, 0, static_cast<double>(*scores.target_iteration), 0};
      return {0, 1, 0, top1};
    case RankBy::kSeconds:
      if (scores.target_iteration) return {0, 0, ascending(scores.target_seconds), 0};
      return {0, 1, 0, top1};
    case RankBy::kRobustness:
      return {0, 0, 0, ascending(std::abs(scores.loss_difference(at)))};
  }
  return {};
}

Key key_of(const Scores& scores, RankBy by, RankAt at) {
  const double group = (scores.ended_well ? 0 : 2) + (scores.measured ? 0 : 1);
  if (!scores.measured) return {group, 0, 0, 0};
  Key key = measure_key(scores, by, at);
  key[0] = group;
  return key;
}

Key measure_key(const RepeatedScores& scores, RankBy by) {
  switch (by) {
    case RankBy::kTop1:
      return {0, 0, 0, descending(scores.top1.mean)};
    case RankBy::kLoss:
      return {0, 0, 0, ascending(scores.loss.mean)};
    case RankBy::kCost:
    case RankBy::kSeconds: {
      const double missed = -static_cast<double>(scores.met_target);
      const MeanAndDeviation& cost =
          by == RankBy::kCost ? scores.target_iteration : scores.target_seconds;
      if (scores.met_target > 0) return {0, missed, ascending(cost.mean), 0};
      return {0, missed, 0, descending(scores.top1.mean)};
    }
    case RankBy::kRobustness:
      return {0, 0, 0, ascending(std::abs(scores.loss_difference.mean))};
  }
  return {};
}

std::vector<std::size_t> sorted_indices(const std::vector<Key>& keys) {
  std::vector<std::size_t> order(keys.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  return order;
}

nlohmann::json number_or_null(double value, bool there = true) {
  return there && std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

// All that people see of a run's scores.
std::vector<FlatJson::Entry> entries_of(const Scores& scores, RankAt at) {
  using Value = FlatJson::Value;
  const bool there = scores.measured;
  const MetricPoint& top1_at = at == RankAt::kBest ? scores.best : scores.final;
  const MetricPoint& loss_at = loss_point(scores, at);
  const auto number = [](double value, bool known) {
    return known && std::isfinite(value) ? Value(value) : Value(nullptr);
  };
  const auto iteration = [&](const MetricPoint& point) {
    return there ? Value(point.iteration) : Value(nullptr);
  };
  const auto& confidence = top1_at.evaluated.confidence;
  const auto of_confidence = [&](auto Confidence::*field) {
    return there && confidence ? Value((*confidence).*field) : Value(nullptr);
  };
  return {
      {"ended_well", scores.ended_well},
      {"top1", number(top1_at.evaluated.top1, there)},
      {"top1_iteration", iteration(top1_at)},
      {"top5", number(top1_at.evaluated.top5, there)},
      {"confidence", of_confidence(&Confidence::mean)},
      {"confidence_deviation", of_confidence(&Confidence::deviation)},
      {"class_confidence_deviation", of_confidence(&Confidence::class_deviation)},
      {"classes_left_out", of_confidence(&Confidence::classes_left_out)},
      {"loss", number(loss_at.evaluated.loss, there)},
      {"loss_iteration", iteration(loss_at)},
      {"loss_difference", number(scores.loss_difference(at), there)},
      {"best_top1", number(scores.best.evaluated.top1, there)},
      {"best_top1_iteration", iteration(scores.best)},
      {"lowest_loss", number(scores.lowest_loss.evaluated.loss, there)},
      {"final_top1", number(scores.final.evaluated.top1, there)},
      {"final_loss", number(scores.final.evaluated.loss, there)},
      {"final_iteration", iteration(scores.final)},
      {"target_iteration", Value(scores.target_iteration)},
      {"target_seconds", number(scores.target_seconds, scores.target_iteration.has_value())},
      {"seconds", number(scores.seconds, there)},
  };
}

void put(nlohmann::json& json, const std::string& name, const MeanAndDeviation& value, bool there) {
  json[name + "_mean"] = number_or_null(value.mean, there);
  json[name + "_deviation"] = number_or_null(value.deviation, there);
}

}  // namespace

double Scores::loss_difference(RankAt at) const {
  const MetricPoint& point = at == RankAt::kBest ? best : final;
  return point.train.loss - point.evaluated.loss;
}

Scores score(std::span<const MetricPoint> points, OutcomeKind outcome,
             const std::optional<Target>& target) {
  Scores scores;
  scores.ended_well = outcome == OutcomeKind::kCompleted ||
                      outcome == OutcomeKind::kTargetReached || outcome == OutcomeKind::kTimeLimit;
  scores.measured = !points.empty();
  if (points.empty()) return scores;
  scores.best = scores.lowest_loss = points.front();
  for (const MetricPoint& point : points) {
    const PartMetrics& metrics = point.evaluated;
    if (descending(metrics.top1) < descending(scores.best.evaluated.top1)) scores.best = point;
    if (ascending(metrics.loss) < ascending(scores.lowest_loss.evaluated.loss)) {
      scores.lowest_loss = point;
    }
    if (target && !scores.target_iteration && reaches(*target, metrics)) {
      scores.target_iteration = point.iteration;
      scores.target_seconds = seconds_of(point);
    }
  }
  scores.final = points.back();
  scores.seconds = seconds_of(scores.final);
  return scores;
}

std::vector<std::size_t> rank(std::span<const Scores> scores, RankBy by, RankAt at) {
  std::vector<Key> keys;
  keys.reserve(scores.size());
  for (const Scores& one : scores) keys.push_back(key_of(one, by, at));
  return sorted_indices(keys);
}

std::vector<std::size_t> by_rung(std::vector<std::size_t> order, std::span<const Scores> scores,
                                 std::span<const std::int64_t> lengths) {
  const auto length = [&](std::size_t index) {
    return scores[index].ended_well ? lengths[index] : 0;
  };
  std::ranges::stable_sort(order, std::greater{}, length);
  return order;
}

std::optional<double> ranked_value(const Scores& scores, RankBy by, RankAt at) {
  if (!scores.ended_well || !scores.measured) return std::nullopt;
  switch (by) {
    case RankBy::kTop1:
      return top1_metrics(scores, at).top1;
    case RankBy::kLoss:
      return -loss_point(scores, at).evaluated.loss;
    case RankBy::kRobustness:
      return -std::abs(scores.loss_difference(at));
    case RankBy::kCost:
    case RankBy::kSeconds:
      break;
  }
  if (!scores.target_iteration) return std::nullopt;
  return by == RankBy::kCost ? -static_cast<double>(*scores.target_iteration)
                             : -scores.target_seconds;
}

MeanAndDeviation mean_and_deviation(std::span<const double> values) {
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  // Around the first value, so that equal values give their own value and a deviation of exactly 0.
  const double origin = values.front();
  double sum = 0;
  for (double value : values) sum += value - origin;
  // Rounding must not lift a mean above all of its values: coordinator/store/bound.h relies on it.
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  const double mean = std::clamp(origin + sum / count, *least, *greatest);
  if (values.size() == 1) return {mean, 0};
  double squares = 0;
  for (double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / (count - 1))};
}

RepeatedScores combine(std::span<const Scores> repeats, RankAt at) {
  std::vector<double> top1, loss, target_iteration, target_seconds, seconds, loss_difference;
  for (const Scores& one : repeats) {
    if (!one.ended_well || !one.measured) continue;
    top1.push_back(top1_metrics(one, at).top1);
    loss.push_back(loss_point(one, at).evaluated.loss);
    seconds.push_back(one.seconds);
    loss_difference.push_back(one.loss_difference(at));
    if (!one.target_iteration) continue;
    target_iteration.push_back(static_cast<double>(*one.target_iteration));
    target_seconds.push_back(one.target_seconds);
  }
  RepeatedScores combined;
  combined.repeats = static_cast<int>(repeats.size());
  combined.ended_well = static_cast<int>(top1.size());
  combined.met_target = static_cast<int>(target_iteration.size());
  combined.top1 = mean_and_deviation(top1);
  combined.loss = mean_and_deviation(loss);
  combined.target_iteration = mean_and_deviation(target_iteration);
  combined.target_seconds = mean_and_deviation(target_seconds);
  combined.seconds = mean_and_deviation(seconds);
  combined.loss_difference = mean_and_deviation(loss_difference);
  return combined;
}

Tolerance tolerance(std::span<const Scores> scaled) {
  std::vector<double> top1;
  for (const Scores& one : scaled) {
    if (one.ended_well && one.measured) top1.push_back(one.best.evaluated.top1);
  }
  Tolerance result{.scales = static_cast<int>(scaled.size()),
                   .ended_well = static_cast<int>(top1.size())};
  if (top1.empty()) return result;
  result.top1 = mean_and_deviation(top1);
  result.lowest_top1 = *std::min_element(top1.begin(), top1.end());
  return result;
}

RankKey rank_key(const RepeatedScores& scores, RankBy by) {
  // A policy with no repeat that ended well has no mean to be sorted by.
  if (scores.ended_well == 0) return {2, 0, 0, 0};
  Key key = measure_key(scores, by);
  key[0] = scores.ended_well < scores.repeats ? 1 : 0;
  return key;
}

std::vector<std::size_t> rank_repeated(std::span<const RepeatedScores> scores, RankBy by) {
  std::vector<Key> keys;
  keys.reserve(scores.size());
  for (const RepeatedScores& one : scores) keys.push_back(rank_key(one, by));
  return sorted_indices(keys);
}

nlohmann::json to_json(const Scores& scores, RankAt at) {
  nlohmann::json json;
  for (const FlatJson::Entry& entry : entries_of(scores, at))
    json[std::string(entry.key)] = entry.value.json();
  return json;
}

FlatJson to_flat_json(const Scores& scores, RankAt at, std::span<const FlatJson::Entry> more) {
  std::vector<FlatJson::Entry> entries = entries_of(scores, at);
  entries.insert(entries.end(), more.begin(), more.end());
  return FlatJson(entries);
}

nlohmann::json to_json(const RepeatedScores& scores) {
  nlohmann::json json = {{"repeats", scores.repeats},
                         {"ended_well", scores.ended_well},
                         {"met_target", scores.met_target}};
  const bool there = scores.ended_well > 0;
  put(json, "top1", scores.top1, there);
  put(json, "loss", scores.loss, there);
  put(json, "target_iteration", scores.target_iteration, scores.met_target > 0);
  put(json, "target_seconds", scores.target_seconds, scores.met_target > 0);
  put(json, "seconds", scores.seconds, there);
  put(json, "loss_difference", scores.loss_difference, there);
  return json;
}

nlohmann::json to_json(const Tolerance& tolerance) {
  nlohmann::json json = {{"scales", tolerance.scales}, {"ended_well", tolerance.ended_well}};
  put(json, "top1", tolerance.top1.value_or(MeanAndDeviation{}), tolerance.top1.has_value());
  json["top1_lowest"] = nullptr;
  if (tolerance.lowest_top1) json["top1_lowest"] = *tolerance.lowest_top1;
  return json;
}

}  // namespace lrtune

#include "coordinator/report/policies_mixed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "coordinator/ranking/mix.h"
#include "coordinator/report/policies_text.h"

namespace lrtune {
namespace {

std::vector<Measured> measured(const std::vector<PolicyEntry>& entries) {
  std::vector<Measured> all;
  for (const PolicyEntry& entry : entries) all.push_back({entry.scores, entry.plan.iterations});
  return all;
}

// Best top-1 first.
std::vector<std::size_t> front_of(const std::vector<Measured>& all) {
  std::vector<std::size_t> front = pareto_front(all);
  std::stable_sort(front.begin(), front.end(), [&](std::size_t a, std::size_t b) {
    return all[a].scores.top1.mean > all[b].scores.top1.mean;
  });
  return front;
}

std::vector<PolicyEntry> pick(std::vector<PolicyEntry>& entries,
                              const std::vector<std::size_t>& order, std::size_t limit) {
  std::vector<PolicyEntry> picked;
  for (const std::size_t index : order) {
    if (limit == 0 || picked.size() < limit) picked.push_back(std::move(entries[index]));
  }
  return picked;
}

nlohmann::json mix_json(const std::optional<Mix>& mix) {
  if (!mix) return nullptr;
  return {{"utility", mix->utility},
          {"cost", mix->cost},
          {"robustness", mix->robustness},
          {"mixed", mix->mixed}};
}

// The points of a Pareto chart.
class ParetoPoints {
 public:
  ParetoPoints(const std::vector<PolicyEntry>& entries, const std::vector<Measured>& all)
      : entries_(entries), all_(all) {
    const Measured* first = nullptr;
    for (const Measured& one : all) {
      if (!comparable(one)) continue;
      if (first == nullptr) first = &one;
      by_cost_ = by_cost_ || compared_cost(one) != compared_cost(*first);
      missed_ = missed_ || one.scores.met_target < one.scores.repeats;
    }
  }

  std::string x_label() const {
    if (!by_cost_) return "size of the loss difference";
    return missed_ ? "iterations to the target; missed: twice the run's"
                   : "iterations to the target";
  }

  void add(Series& series, std::size_t index) const {
    const RepeatedScores& scores = all_[index].scores;
    series.x.push_back(by_cost_ ? compared_cost(all_[index])
                                : std::abs(scores.loss_difference.mean));
    series.y.push_back(scores.top1.mean);
    series.points.push_back({fmt::to_string(entries_[index].id), words(index)});
  }

  std::string words(std::size_t index) const {
    const PolicyEntry& entry = entries_[index];
    const RepeatedScores& scores = entry.scores;
    const std::string cost = scores.met_target == scores.repeats
                                 ? fmt::format("{:.0f} to the target", scores.target_iteration.mean)
                                 : "target not met";
    return fmt::format("{}  {}: top-1 {:.4f}, {}, loss diff {:.4f}", entry.id, policy_words(entry),
                       scores.top1.mean, cost, scores.loss_difference.mean);
  }

 private:
  const std::vector<PolicyEntry>& entries_;
  const std::vector<Measured>& all_;
  bool by_cost_ = false;
  bool missed_ = false;
};

}  // namespace

Chart pareto_chart(const std::vector<PolicyEntry>& entries, std::size_t named) {
  const std::vector<Measured> all = measured(entries);
  const std::vector<std::size_t> front = front_of(all);
  const ParetoPoints points(entries, all);
  const std::string training = training_words(entries);
  Chart chart{.title = "Policies that no other beats" + (training.empty() ? "" : ": " + training),
              .x_label = points.x_label(),
              .y_label = "top-1"};
  std::vector<bool> beaten(entries.size(), true);
  for (const std::size_t index : front) {
    const bool has_name = named == 0 || chart.series.size() < named;
    Series& one = chart.series.emplace_back(Series{has_name ? points.words(index) : ""});
    points.add(one, index);
    beaten[index] = false;
  }
  Series others{.muted = true};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (beaten[i] && comparable(all[i])) points.add(others, i);
  }
  if (others.points.empty()) return chart;
  others.name = fmt::format("beaten by another: {}", others.points.size());
  chart.series.push_back(std::move(others));
  return chart;
}

Result<std::string> mixed_text(std::vector<PolicyEntry> entries, const MixedView& view,
                               const Terminal& terminal) {
  const std::vector<Measured> all = measured(entries);
  if (view.weights.empty()) {
    const auto picked = pick(entries, front_of(all), view.limit);
    return view.json ? policies_json(picked, view.at).dump(2) + "\n"
                     : policies_table(picked, true, terminal);
  }
  const auto weights = weights_from_text(view.weights);
  if (!weights) return tl::unexpected(weights.error());
  const auto mixes = mix(all, *weights);
  const auto order = rank_mixed(mixes);
  const auto picked = pick(entries, order, view.limit);
  if (!view.json) {
    std::string text = policies_table(picked, true, terminal);
    for (std::size_t i = 0; i < picked.size(); ++i) {
      if (const auto& one = mixes[order[i]]) {
        text +=
            fmt::format("rank {}: mix {:.4f} of utility {:.4f}, cost {:.4f}, robustness {:.4f}\n",
                        i + 1, one->mixed, one->utility, one->cost, one->robustness);
      }
    }
    return text;
  }
  nlohmann::json json = policies_json(picked, view.at);
  for (std::size_t i = 0; i < picked.size(); ++i) json[i]["mix"] = mix_json(mixes[order[i]]);
  return json.dump(2) + "\n";
}

}  // namespace lrtune

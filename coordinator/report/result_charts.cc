#include "coordinator/report/result_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "common/policy/policy_yaml.h"

namespace lrtune {
namespace {

constexpr std::int64_t kRateSamples = 20000;  // of a curve; more than any plot has pixels

std::string series_name(const PolicyResult& result) {
  return fmt::format("{}: {}", result.search.trial.id.value, result.words());
}

Chart point_chart(const CampaignResults& results, std::string title, std::string y_label,
                  const std::function<double(const MetricPoint&)>& value) {
  Chart chart{std::move(title), "iteration", std::move(y_label)};
  for (const PolicyResult* policy : results.top(kPlottedPolicies)) {
    Series series{series_name(*policy)};
    const bool trained = policy->search.points.size() > 2;
    for (const MetricPoint& point : policy->search.points) {
      if (trained && point.iteration == 0)
        continue;  // before training; it would flatten the curves
      series.x.push_back(static_cast<double>(point.iteration));
      series.y.push_back(value(point));
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

}  // namespace

std::string best_policy_yaml(const CampaignResults& results) {
  const auto top = results.top(1);
  if (top.empty()) return {};
  const TrialResult& best = top.front()->search;
  std::string yaml = fmt::format("# {} (trial {} of {})\n", top.front()->words(),
                                 best.trial.id.value, results.campaign.name);
  if (best.outcome.realised) yaml += "# What its controller made of it, with the rates applied:\n";
  yaml += policy_to_yaml(best.applied());
  if (yaml.back() != '\n') yaml += '\n';
  return yaml;
}

Chart learning_rate_chart(const CampaignResults& results) {
  Chart chart{results.campaign.name + ": learning rate of the best policies", "iteration",
              "learning rate"};
  for (const PolicyResult* policy : results.top(kPlottedPolicies)) {
    const TrialRecord& trial = policy->search.trial;
    const Policy& applied = policy->search.applied();
    if (applied.reactive()) continue;
    Series series{series_name(*policy)};
    const std::int64_t step = std::max<std::int64_t>(1, trial.plan.iterations / kRateSamples);
    for (std::int64_t t = 0; t < trial.plan.iterations; t += step) {
      series.x.push_back(static_cast<double>(t));
      series.y.push_back(learning_rate(applied, t));
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

Chart accuracy_chart(const CampaignResults& results) {
  const auto part = name_of(results.evaluated_on);
  return point_chart(results, fmt::format("{}: {} accuracy", results.campaign.name, part), "top-1",
                     [](const MetricPoint& point) { return point.evaluated.top1; });
}

Chart loss_chart(const CampaignResults& results) {
  const auto part = name_of(results.evaluated_on);
  Chart chart =
      point_chart(results, fmt::format("{}: {} loss", results.campaign.name, part), "cross entropy",
                  [](const MetricPoint& point) { return point.evaluated.loss; });
  chart.log_y = true;
  return chart;
}

Chart m_opt_chart(const CampaignResults& results, const PolicyResult& policy) {
  Chart chart{
      fmt::format("{}: M-opt of trial {}", results.campaign.name, policy.search.trial.id.value),
      "iteration", "learning rate"};
  chart.log_y = true;
  Series applied{"applied: " + policy.words()};
  Series m_opt{"M-opt"};
  for (const MoptValue& value : policy.search.m_opt()) {
    applied.x.push_back(static_cast<double>(value.iteration));
    applied.y.push_back(value.learning_rate);
    m_opt.x.push_back(static_cast<double>(value.iteration));
    m_opt.y.push_back(value.m_opt.value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  chart.series = {std::move(applied), std::move(m_opt)};
  return chart;
}

}  // namespace lrtune

#include "coordinator/methods/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/config/experiment.h"
#include "coordinator/search/search.h"

namespace lrtune {
namespace {

using nlohmann::json;

// What generated candidates are drawn from: an experiment's `policies`.
json templates(const ParameterEstimate& e, std::int64_t iterations) {
  const double low = four_digits(e.k0);
  const double high = four_digits(e.k1);
  const json rate = rates_between(low, high);
  const json top = rates_between(e.fixed, high);
  const std::int64_t shortest = std::max<std::int64_t>(1, e.half_cycle_low);
  const json l = {{"int", {shortest, std::max(e.half_cycle_high, shortest + 1)}}};
  const double gamma = std::min(e.gamma, 0.999999);
  return json::array(
      {{{"function", "fix"}, {"k0", rate}},
       {{"function", "poly"}, {"k0", top}, {"p", {{"uniform", {0.8, 2.0}}}}, {"l", iterations}},
       {{"function", "exp"}, {"k0", top}, {"gamma", gamma}},
       {{"function", {{"choice", {"tri", "sin", "cos", "tri2", "sin2"}}}},
        {"k0", low},
        {"k1", top},
        {"l", l}},
       {{"function", {{"choice", {"triexp", "sinexp"}}}},
        {"k0", low},
        {"k1", top},
        {"gamma", gamma},
        {"l", l}}});
}

json composite(const ParameterEstimate& e, std::int64_t iterations) {
  const auto segment = [&](const char* function, double scale, std::int64_t share) {
    return json{{"function", function},
                {"k0", four_digits(e.k0 * scale)},
                {"k1", four_digits(e.k1 * scale)},
                {"l", std::max<std::int64_t>(1, e.half_cycle / share)}};
  };
  json first = segment("tri", 1, 1);
  first["until"] = std::max<std::int64_t>(1, iterations * 6 / 7);
  json second = segment("tri2", 0.1, 2);
  second["until"] = std::max<std::int64_t>(2, iterations * 13 / 14);
  return {{"segments", {std::move(first), std::move(second), segment("tri2", 0.01, 4)}}};
}

}  // namespace

json rates_between(double low, double high) {
  const double from = four_digits(low);
  const double to = four_digits(high);
  return from < to ? json{{"log", {from, to}}} : json(from);
}

RangeTestSettings generation_range(std::int64_t iterations) {
  const std::int64_t tenth = std::max<std::int64_t>(1, iterations / 10);
  return {.low = 1e-4,
          .high = 1,
          .rates = 9,
          .epochs = {},
          .iterations = {tenth, 2 * tenth},
          .seeds = 2};
}

std::vector<json> generated_policies(const ParameterEstimate& estimate, std::int64_t iterations,
                                     std::uint64_t seed, int count) {
  // The random search of an experiment is what draws.
  const json drawn = {{"name", "generated"},
                      {"train",
                       {{"dataset", {{"name", "mnist"}}},
                        {"model", "lenet"},
                        {"optimizer", {{"name", "sgd"}}},
                        {"batch", 1}}},
                      {"run", {{"iterations", iterations}, {"evaluate", {{"every", iterations}}}}},
                      {"seed", seed},
                      {"search",
                       {{"method", "random"},
                        {"count", std::max(1, count - 1)},
                        {"policies", templates(estimate, iterations)}}}};
  std::vector<json> policies = {composite(estimate, iterations)};
  const Experiment experiment = experiment_from_json(drawn).value();
  for (std::int64_t i = 0; i + 1 < count; ++i) {
    json policy = candidate_policy(experiment, i);
    for (const char* key : {"k0", "k1"}) {
      if (policy.contains(key)) policy[key] = four_digits(policy[key].get<double>());
    }
    policies.push_back(std::move(policy));
  }
  return policies;
}

std::optional<ParameterEstimate> estimate_of(const RangeReport& report) {
  if (report.estimate) return report.estimate;
  double best = 0;
  double rate = 0;
  for (const RangeCurve& curve : report.curves) {
    for (std::size_t i = 0; i < curve.accuracy.size(); ++i) {
      if (curve.accuracy[i].value_or(0) <= std::max(best, 1.5 * report.chance)) continue;
      best = *curve.accuracy[i];
      rate = report.rates[i];
    }
  }
  if (rate == 0 || report.run_iterations < 2) return std::nullopt;
  const double factor = std::sqrt(10.0);
  return estimate_parameters(rate / factor, rate * factor, report.run_iterations,
                             std::max<std::int64_t>(1, report.run_iterations / 8));
}

}  // namespace lrtune

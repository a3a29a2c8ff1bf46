#include "coordinator/ranking/mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <sstream>

namespace lrtune {
namespace {

constexpr std::size_t kMeasures = 3;
// Top-1, iterations to the target, |loss difference|: all so that less is better.
using Costs = std::array<double, kMeasures>;

Costs costs_of(const Measured& one) {
  return {-one.scores.top1.mean, compared_cost(one), std::abs(one.scores.loss_difference.mean)};
}

bool beats(const Costs& a, const Costs& b) {
  bool better = false;
  for (std::size_t i = 0; i < kMeasures; ++i) {
    if (a[i] > b[i]) return false;
    better = better || a[i] < b[i];
  }
  return better;
}

}  // namespace

bool comparable(const Measured& one) {
  return one.scores.repeats > 0 && one.scores.ended_well == one.scores.repeats;
}

double compared_cost(const Measured& one) {
  if (one.scores.met_target == one.scores.repeats) return one.scores.target_iteration.mean;
  return 2 * static_cast<double>(one.iterations);
}

Result<Weights> weights_from_text(const std::string& text) {
  Weights weights;
  const auto bad = [&](const std::string& part) {
    return fail(
        fmt::format("'{}' is no weight; write MEASURE=NUMBER, at least 0, of utility, cost and "
                    "robustness, such "
                    "as utility=1,cost=0.5",
                    part));
  };
  std::istringstream parts(text);
  std::set<std::string> given;
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) return bad(part);
    const std::string name = part.substr(0, equals);
    double* const weight = name == "utility"      ? &weights.utility
                           : name == "cost"       ? &weights.cost
                           : name == "robustness" ? &weights.robustness
                                                  : nullptr;
    double value = 0;
    const char* const end = part.data() + part.size();
    const auto [read, error] = std::from_chars(part.data() + equals + 1, end, value);
    if (weight == nullptr || error != std::errc() || read != end || !std::isfinite(value) ||
        value < 0)
      return bad(part);
    if (!given.insert(name).second) return fail(fmt::format("{} has two weights", name));
    *weight = value;
  }
  if (weights.utility + weights.cost + weights.robustness <= 0)
    return fail("all weights are 0; one must be above 0");
  return weights;
}

std::vector<std::optional<Mix>> mix(std::span<const Measured> all, const Weights& weights) {
  Costs least, most;
  least.fill(std::numeric_limits<double>::infinity());
  most.fill(-std::numeric_limits<double>::infinity());
  for (const Measured& one : all) {
    if (!comparable(one)) continue;
    const Costs costs = costs_of(one);
    for (std::size_t i = 0; i < kMeasures; ++i) {
      least[i] = std::min(least[i], costs[i]);
      most[i] = std::max(most[i], costs[i]);
    }
  }
  std::vector<std::optional<Mix>> mixes;
  for (const Measured& one : all) {
    mixes.emplace_back();
    if (!comparable(one)) continue;
    const Costs costs = costs_of(one);
    const auto share = [&](std::size_t i) {
      return most[i] > least[i] ? (most[i] - costs[i]) / (most[i] - least[i]) : 1.0;
    };
    Mix& made = mixes.back().emplace(Mix{share(0), share(1), share(2), 0});
    made.mixed = (weights.utility * made.utility + weights.cost * made.cost +
                  weights.robustness * made.robustness) /
                 (weights.utility + weights.cost + weights.robustness);
  }
  return mixes;
}

std::vector<std::size_t> rank_mixed(std::span<const std::optional<Mix>> mixes) {
  std::vector<std::size_t> order(mixes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const double of_a = mixes[a] ? mixes[a]->mixed : -1;
    const double of_b = mixes[b] ? mixes[b]->mixed : -1;
    return of_a > of_b;
  });
  return order;
}

std::vector<std::size_t> pareto_front(std::span<const Measured> all) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!comparable(all[i])) continue;
    const Costs costs = costs_of(all[i]);
    const bool beaten = std::any_of(all.begin(), all.end(), [&](const Measured& other) {
      return comparable(other) && beats(costs_of(other), costs);
    });
    if (!beaten) front.push_back(i);
  }
  return front;
}

}  // namespace lrtune

#include "coordinator/search/tpe.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "coordinator/search/domain_value.h"
#include "coordinator/search/parzen.h"
#include "coordinator/search/search.h"
#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

Experiment with_search(const std::string& policies, int seed = 7) {
  std::string text = test::base_experiment();
  text =
      text.substr(0, text.find("search:")) + "search:\n  method: random\n  count: 1\n" + policies;
  auto experiment = experiment_from_yaml(text, "e.yaml");
  EXPECT_TRUE(experiment) << experiment.error().message;
  if (experiment) experiment->seed = static_cast<std::uint64_t>(seed);
  return experiment.value_or(Experiment{});
}

TEST(Normal, DistributionAgreesWithTheErrorFunction) {
  for (double x = -9; x <= 9; x += 0.01) {
    EXPECT_NEAR(normal_distribution(x), 0.5 * std::erfc(-x / std::sqrt(2)), 1e-14) << x;
    EXPECT_NEAR(normal_density(x), std::exp(-x * x / 2) / std::sqrt(2 * M_PI), 1e-15) << x;
  }
}

// Values seen: 1, 1, 2 of 4. (1 + times) / (4 + 3).
TEST(ChoiceDensity, ByHand) {
  const ChoiceDensity density(4, {1, 2, 1});
  EXPECT_DOUBLE_EQ(density.probability(0), 1.0 / 7);
  EXPECT_DOUBLE_EQ(density.probability(1), 3.0 / 7);
  EXPECT_DOUBLE_EQ(density.probability(2), 2.0 / 7);
  EXPECT_EQ(density.draw(0), 0u);
  EXPECT_EQ(density.draw(0.15), 1u);
  EXPECT_EQ(density.draw(0.57), 1u);
  EXPECT_EQ(density.draw(0.58), 2u);
  EXPECT_EQ(density.draw(1 - 0x1p-53), 3u);
}

// One value at 0.5: its neighbours are 0 and 1, so its width is 0.5, which is at least 1 / (1 + 1).
// The normal one has erf(1 / sqrt 2) = 0.6827 of its mass inside.
TEST(IntervalDensity, ByHand) {
  const IntervalDensity density({0.5});
  const double inside = std::erf(1 / std::sqrt(2));
  const double peak = 1 / (0.5 * std::sqrt(2 * M_PI) * inside);
  EXPECT_NEAR(density.density(0.5), (1 + peak) / 2, 1e-12);
  EXPECT_NEAR(density.density(1), (1 + peak * std::exp(-0.5)) / 2, 1e-12);
  EXPECT_NEAR(density.probability(0.25, 0.75), (0.5 + std::erf(0.5 / std::sqrt(2)) / inside) / 2,
              1e-12);
  EXPECT_EQ(density.draw(0, 0.3), 0.3);             // the uniform part
  EXPECT_NEAR(density.draw(0.5, 0.5), 0.5, 1e-11);  // the middle of the normal one
  EXPECT_EQ(IntervalDensity({}).density(0.2), 1);
}

RC_GTEST_PROP(IntervalDensityProperty, IsADensity, ()) {
  std::vector<double> seen;
  const auto count = *rc::gen::inRange(0, 30);
  for (int i = 0; i < count; ++i) seen.push_back(*rc::gen::inRange(0, 1001) / 1000.0);
  const IntervalDensity density(seen);
  constexpr int kCells = 1000;
  double mass = 0;
  double integral = 0;
  for (int i = 0; i < kCells; ++i) {
    const double low = static_cast<double>(i) / kCells;
    mass += density.probability(low, low + 1.0 / kCells);
    integral += density.density(low + 0.5 / kCells) / kCells;
    RC_ASSERT(density.density(low) >= 1.0 / (count + 1));
  }
  RC_ASSERT(std::abs(mass - 1) < 1e-9);
  RC_ASSERT(std::abs(integral - 1) < 1e-3);
  const double drawn =
      density.draw(*rc::gen::inRange(0, 1000) / 1000.0, *rc::gen::inRange(0, 1000) / 1000.0);
  RC_ASSERT(drawn >= 0 && drawn < 1);
}

RC_GTEST_PROP(DomainValueProperty, UnitsLeadBack, ()) {
  Domain domain;
  domain.kind = *rc::gen::element(Domain::Kind::kUniform, Domain::Kind::kLog, Domain::Kind::kInt);
  domain.low = *rc::gen::inRange(1, 1000);
  domain.high = domain.low + *rc::gen::inRange(1, 1000);
  const double unit = *rc::gen::inRange(0, 1'000'000) / 1e6;
  const double coordinate = coordinate_at(domain, unit);
  const double back = unit_of(domain, coordinate);
  const double cell = domain.kind == Domain::Kind::kInt ? 0.5 / (domain.high - domain.low + 1) : 0;
  RC_ASSERT(std::abs(back - unit) <= cell + 1e-9);
  RC_ASSERT(std::abs(coordinate_at(domain, back) - coordinate) <= 1e-9 * coordinate);
}

// Two kinds of function; the good ones are sin with k1 near 0.1.
const char* const kPolicies =
    "  policies:\n"
    "    - {function: fix, k0: {log: [0.001, 1]}}\n"
    "    - {function: [tri, sin, cos], k0: {uniform: [0, 0.01]}, k1: {log: [0.02, 0.5]}, l: {int: "
    "[10, 500]}}\n";

double value_of_policy(const nlohmann::json& policy) {
  const double rate = policy.value("k1", policy["k0"].get<double>());
  const double distance = std::log10(rate / 0.1);
  const double bonus = policy["function"] == "sin" ? 0.2 : policy["function"] == "fix" ? -0.2 : 0;
  return bonus - distance * distance;
}

// Proposals one after the other, each answered at once.
std::vector<Observation> searched(const Experiment& experiment, int count,
                                  const TpeOptions& options = {}) {
  std::vector<Observation> observed;
  for (int i = 0; i < count; ++i) {
    const auto proposal =
        tpe_proposal(experiment, observed, {}, static_cast<std::uint64_t>(i), options);
    const Candidate found = candidate_at(experiment, proposal.point);
    observed.push_back({proposal.point, value_of_policy(found.policy)});
  }
  return observed;
}

TEST(Tpe, StartsWithSobolPoints) {
  Experiment experiment = with_search(kPolicies);
  Experiment sobol = experiment;
  sobol.method = SearchMethod::kSobol;
  const auto observed = searched(experiment, 10);
  for (std::size_t i = 0; i < observed.size(); ++i) {
    EXPECT_EQ(candidate_at(experiment, observed[i].point).policy,
              candidate(sobol, static_cast<std::int64_t>(i)).policy);
  }
}

TEST(Tpe, FindsWhereTheGoodOnesAre) {
  for (int seed = 1; seed <= 5; ++seed) {
    const Experiment experiment = with_search(kPolicies, seed);
    const auto observed = searched(experiment, 60);
    std::map<std::string, int> functions;
    double best = -10;
    for (std::size_t i = 40; i < 60; ++i) {
      ++functions[candidate_at(experiment, observed[i].point).policy["function"]];
      best = std::max(best, observed[i].value.value());
    }
    EXPECT_GE(functions["sin"], 10) << seed;  // by chance it would be 3 or 4
    EXPECT_GT(best, 0.19) << seed;  // within a factor of 1.26 of 0.1; by chance a tenth are
  }
}

// Observed twice with the same history the answer is the same; number, seed and history matter.
TEST(Tpe, IsAFunctionOfWhatItIsGiven) {
  const Experiment experiment = with_search(kPolicies);
  const auto observed = searched(experiment, 20);
  const auto proposal = tpe_proposal(experiment, observed, {}, 20);
  EXPECT_EQ(tpe_proposal(experiment, observed, {}, 20), proposal);
  EXPECT_EQ(proposal.observed, 20);
  EXPECT_EQ(proposal.good, 3);  // 0.15 * 20
  EXPECT_NE(tpe_proposal(experiment, observed, {}, 21).point, proposal.point);
  EXPECT_NE(tpe_proposal(with_search(kPolicies, 8), observed, {}, 20).point, proposal.point);
  auto reversed = observed;
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(tpe_proposal(experiment, reversed, {}, 20), proposal);  // no two values are equal
}

// By hand: fix alone, k0 a list of two, which has no order.
// 4 results: k0 = 1 with 0.9, k0 = 2 with 0.1, 0.2 and none. One is good (0.25 of the 3 with a
// value, rounded up). l: 1 has (1 + 1) / (2 + 1) = 2/3, 2 has 1/3. g: 1 has 1 / (2 + 3), 2 has 4/5.
// Both are known, so the score decides: log((2/3) / (1/5)) = log(10/3).
TEST(Tpe, ScoreByHand) {
  const Experiment experiment = with_search("  policies: [{function: fix, k0: [1, 2]}]\n");
  const auto at = [](double place) { return SearchPoint{.policy = 0, .holes = {place}}; };
  const std::vector<Observation> observed = {
      {at(0), 0.9}, {at(1), 0.1}, {at(1), 0.2}, {at(1), std::nullopt}};
  const auto proposal =
      tpe_proposal(experiment, observed, {}, 0, {.startup = 4, .good = 0.25, .draws = 24});
  EXPECT_EQ(proposal.point, at(0));
  EXPECT_EQ(proposal.good, 1);
  EXPECT_NEAR(proposal.score, std::log(10.0 / 3), 1e-12);
}

TEST(Tpe, PendingPointsRepelAndAreNotProposedAgain) {
  const Experiment experiment =
      with_search("  policies: [{function: fix, k0: [1, 2, 3, 4, 5, 6, 7, 8]}]\n");
  std::vector<Observation> observed;
  for (const int place : {0, 3, 7}) {
    observed.push_back(
        {{.policy = 0, .holes = {static_cast<double>(place)}}, place == 3 ? 1.0 : 0.0});
  }
  const TpeOptions options{.startup = 3};
  std::vector<SearchPoint> pending;
  for (std::uint64_t number = 3; number < 8; ++number) {
    const auto proposal = tpe_proposal(experiment, observed, pending, number, options);
    EXPECT_EQ(proposal.pending, static_cast<std::int64_t>(pending.size()));
    EXPECT_EQ(std::count(pending.begin(), pending.end(), proposal.point), 0);
    for (const auto& seen : observed) EXPECT_NE(proposal.point, seen.point);
    pending.push_back(proposal.point);
  }
  // All eight are known: it still answers.
  EXPECT_LT(tpe_proposal(experiment, observed, pending, 8, options).point.holes[0], 8);
}

RC_GTEST_PROP(TpeProperty, ProposalsAreInTheSpace, ()) {
  const Experiment experiment = with_search(kPolicies, *rc::gen::inRange(0, 1000));
  std::vector<Observation> observed;
  const auto count = *rc::gen::inRange(0, 40);
  for (int i = 0; i < count; ++i) {
    const auto proposal =
        tpe_proposal(experiment, {}, {}, *rc::gen::inRange<std::uint64_t>(0, 1000));
    const int value = *rc::gen::inRange(-1, 5);
    observed.push_back({proposal.point, value < 0 ? std::nullopt : std::optional<double>(value)});
  }
  const auto number = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
  const auto proposal = tpe_proposal(experiment, observed, {}, number);
  const nlohmann::json policy = candidate_at(experiment, proposal.point).policy;
  RC_ASSERT(std::isfinite(proposal.score));
  if (policy["function"] == "fix") {
    RC_ASSERT(policy["k0"] >= 0.001 && policy["k0"] <= 1);
    RC_ASSERT(proposal.point.holes.size() == 1u);
  } else {
    RC_ASSERT(policy["k1"] >= 0.02 && policy["k1"] <= 0.5);
    RC_ASSERT(policy["l"].is_number_integer() && policy["l"] >= 10 && policy["l"] <= 500);
    RC_ASSERT(proposal.point.holes.size() == 4u);
  }
}

}  // namespace
}  // namespace lrtune

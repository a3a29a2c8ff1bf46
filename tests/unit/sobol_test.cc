#include "coordinator/search/sobol.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "coordinator/search/domain_value.h"
#include "coordinator/search/extension.h"
#include "coordinator/search/search.h"
#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

Experiment read(const std::string& text) {
  auto experiment = experiment_from_yaml(text, "e.yaml");
  EXPECT_TRUE(experiment) << experiment.error().message;
  return experiment.value_or(Experiment{});
}

Experiment with_search(const std::string& search, const std::string& batch = "100") {
  const std::string text = test::base_experiment();
  return read(
      test::replaced(text.substr(0, text.find("search:")), "batch: 100", "batch: " + batch) +
      "search:\n" + search);
}

// Without the shift, as fractions.
std::vector<double> plain_point(std::size_t dimensions, std::uint64_t index, std::uint64_t seed) {
  const auto origin = sobol_point(dimensions, 0, seed);
  const auto point = sobol_point(dimensions, index, seed);
  std::vector<double> plain;
  for (std::size_t i = 0; i < dimensions; ++i) {
    plain.push_back(static_cast<double>((point[i] ^ origin[i]) >> 11) * 0x1p-53);
  }
  return plain;
}

// By hand, from the primitive polynomials and initial numbers of Joe & Kuo. Dimension 1: v = 1/2,
// 1/4, 1/8 (van der Corput). Dimension 2: polynomial x + 1, m = 1, 3, 5: v = 1/2, 3/4, 5/8.
// Dimension 3: x^2 + x + 1, m = 1, 3 and m3 = 2*m2 xor 4*m1 xor m1 = 6 xor 4 xor 1 = 3: v = 1/2,
// 3/4, 3/8. Point n is the exclusive or of those v whose bit is set in n xor n/2: n = 3 is 2 (v2),
// 4 is 6 (v2, v3).
TEST(Sobol, FirstPointsByHand) {
  using Point = std::vector<double>;
  EXPECT_EQ(plain_point(3, 0, 7), (Point{0, 0, 0}));
  EXPECT_EQ(plain_point(3, 1, 7), (Point{0.5, 0.5, 0.5}));
  EXPECT_EQ(plain_point(3, 2, 7), (Point{0.75, 0.25, 0.25}));
  EXPECT_EQ(plain_point(3, 3, 7), (Point{0.25, 0.75, 0.75}));
  EXPECT_EQ(plain_point(3, 4, 7), (Point{0.375, 0.375, 0.625}));
}

// Each 2^k points from a multiple of 2^k on have one in each 2^k-th of every axis, whatever the
// shift.
RC_GTEST_PROP(SobolProperty, BlocksFillEveryAxis, (std::uint64_t seed)) {
  const auto k = *rc::gen::inRange(0, 7);
  const auto block = *rc::gen::inRange<std::uint64_t>(0, 1000);
  const auto dimensions = *rc::gen::inRange<std::size_t>(1, 30);
  const std::uint64_t size = std::uint64_t{1} << k;
  std::vector<std::set<std::uint64_t>> cells(dimensions);
  for (std::uint64_t i = 0; i < size; ++i) {
    const auto point = sobol_point(dimensions, block * size + i, seed);
    for (std::size_t d = 0; d < dimensions; ++d) {
      cells[d].insert(k == 0 ? 0 : point[d] >> (64 - k));
    }
  }
  for (const auto& axis : cells) RC_ASSERT(axis.size() == size);
}

// The first two dimensions are a (0, k, 2)-net: so are all ways to cut the square into 2^k equal
// rectangles.
RC_GTEST_PROP(SobolProperty, TwoDimensionsAreANet, (std::uint64_t seed)) {
  const auto k = *rc::gen::inRange(2, 8);
  const auto wide = *rc::gen::inRange(1, k);
  std::set<std::pair<std::uint64_t, std::uint64_t>> cells;
  for (std::uint64_t i = 0; i < (std::uint64_t{1} << k); ++i) {
    const auto point = sobol_point(2, i, seed);
    cells.emplace(point[0] >> (64 - wide), point[1] >> (64 - (k - wide)));
  }
  RC_ASSERT(cells.size() == std::size_t{1} << k);
}

RC_GTEST_PROP(SobolProperty, MoreDimensionsKeepTheFirst, (std::uint64_t seed)) {
  const auto index = *rc::gen::inRange<std::uint64_t>(0, std::uint64_t{1} << 40);
  const auto few = *rc::gen::inRange<std::size_t>(1, 20);
  const auto point = sobol_point(few, index, seed);
  const auto longer = sobol_point(few + 5, index, seed);
  RC_ASSERT(std::equal(point.begin(), point.end(), longer.begin()));
}

TEST(Sobol, ReachesTheLastDimension) {
  EXPECT_EQ(sobol_point(kMostSobolDimensions, 1'000'000, 1).size(), kMostSobolDimensions);
}

// Any unit gives a value of the domain, growing with it; equal shares for choices and whole
// numbers.
RC_GTEST_PROP(DomainValueProperty, ValuesStayInsideAndGrow, ()) {
  Domain domain;
  domain.kind = *rc::gen::element(Domain::Kind::kUniform, Domain::Kind::kLog, Domain::Kind::kInt);
  domain.low = *rc::gen::inRange(1, 1000);
  domain.high = domain.low + *rc::gen::inRange(1, 1000);
  const auto unit = [] { return *rc::gen::inRange(0, 1'000'000) / 1e6; };
  const double one = unit();
  const double other = unit();
  const double low = value_at(domain, std::min(one, other));
  const double high = value_at(domain, std::max(one, other));
  RC_ASSERT(domain.low <= low);
  RC_ASSERT(low <= high);
  RC_ASSERT(high <= domain.high);
  RC_ASSERT(value_at(domain, 0) == domain.low);
  if (domain.kind == Domain::Kind::kInt) {
    RC_ASSERT(value_at(domain, 1 - 0x1p-53) == domain.high);
  }
}

TEST(DomainValue, HalfWayByHand) {
  EXPECT_EQ(value_at({.kind = Domain::Kind::kUniform, .low = 2, .high = 8}, 0.5), 5);
  EXPECT_NEAR(value_at({.kind = Domain::Kind::kLog, .low = 0.01, .high = 1}, 0.5).get<double>(),
              0.1, 1e-16);
  EXPECT_EQ(value_at({.kind = Domain::Kind::kInt, .low = 1, .high = 4}, 0.5), 3);
  const Domain choices = {.choices = {"a", "b", "c"}};
  EXPECT_EQ(value_at(choices, 0.33), "a");
  EXPECT_EQ(value_at(choices, 0.34), "b");
  EXPECT_EQ(value_at(choices, 1 - 0x1p-53), "c");
}

const char* const kTwoTemplates =
    "  method: sobol\n"
    "  count: 64\n"
    "  policies:\n"
    "    - {name: flat, function: fix, k0: {log: [0.001, 0.1]}}\n"
    "    - {function: [tri, sin, cos, tri2], k0: {uniform: [0, 0.01]}, k1: {log: [0.02, 0.2]}, l: "
    "{int: [10, 2000]}}\n";

TEST(SobolSearch, DrawsEachTemplateAndChoiceItsShare) {
  const Experiment experiment = with_search(kTwoTemplates, "[50, 100]");
  ASSERT_EQ(candidate_count(experiment), 64);
  std::map<std::string, int> functions;
  std::map<int, int> batches;
  for (std::int64_t i = 0; i < 64; ++i) {
    const Candidate found = candidate(experiment, i);
    ++functions[found.policy["function"]];
    ++batches[found.train["batch"]];
    EXPECT_EQ(candidate_policy(experiment, i), found.policy);
    EXPECT_EQ(candidate_name(experiment, i), found.policy.value("name", ""));
  }
  EXPECT_EQ(functions["fix"], 32);
  EXPECT_EQ(batches[50], 32);
  EXPECT_EQ(functions.size(), 5u);
  for (const char* name : {"tri", "sin", "cos", "tri2"}) EXPECT_NEAR(functions[name], 8, 2) << name;
}

// Also from the normal form, as the store keeps it, and whatever was asked before.
TEST(SobolSearch, CandidatesDependOnNothingButTheirNumber) {
  const Experiment experiment = with_search(kTwoTemplates);
  const auto stored = experiment_from_json(experiment.normalised);
  ASSERT_TRUE(stored);
  std::vector<std::string> in_order;
  for (std::int64_t i = 0; i < 64; ++i) in_order.push_back(candidate(experiment, i).policy.dump());
  EXPECT_EQ(std::set(in_order.begin(), in_order.end()).size(), 64u);
  for (std::int64_t i = 64; i-- > 0;) {
    EXPECT_EQ(candidate(*stored, i).policy.dump(), in_order[static_cast<std::size_t>(i)]);
  }
  const auto longer = extended(experiment, {.count = 128});
  ASSERT_TRUE(longer) << longer.error().message;
  for (std::int64_t i = 0; i < 64; ++i) {
    EXPECT_EQ(candidate(*longer, i).policy.dump(), in_order[static_cast<std::size_t>(i)]);
  }
  const auto more = extended(experiment, {.policies = "[{function: fix, k0: 1}]"});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().message,
            "policies cannot be added to a sobol search, whose earlier draws they would change; "
            "give it a larger count, or submit another experiment");
}

// Campaigns are resumed by drawing their candidates again: never change the expected texts.
TEST(SobolSearch, GoldenPoints) {
  const Experiment experiment = with_search(kTwoTemplates, "{int: [50, 150]}");
  const std::vector<std::string> golden = {
      R"({"function":"fix","k0":0.02792020438446899,"name":"flat"} 119)",
      R"({"function":"tri","k0":0.003085724929489473,"k1":0.18047116145854974,"l":1250} 69)",
      R"({"function":"tri2","k0":0.005585724929489473,"k1":0.10148639209324233,"l":1747} 145)",
      R"({"function":"fix","k0":0.00882914385923415,"name":"flat"} 94)"};
  for (std::size_t i = 0; i < golden.size(); ++i) {
    const Candidate found = candidate(experiment, static_cast<std::int64_t>(i));
    EXPECT_EQ(found.policy.dump() + " " + found.train["batch"].dump(), golden[i]);
  }
}

}  // namespace
}  // namespace lrtune

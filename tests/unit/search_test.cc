#include "coordinator/search/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "common/policy/policy_json.h"
#include "coordinator/search/extension.h"
#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

using test::base_experiment;
using test::replaced;

Experiment read(const std::string& text) {
  auto experiment = experiment_from_yaml(text, "e.yaml");
  EXPECT_TRUE(experiment) << experiment.error().message;
  return experiment.value_or(Experiment{});
}

// The base with this search section.
std::string text_with_search(const std::string& search, const std::string& batch = "100") {
  std::string text = base_experiment();
  text = text.substr(0, text.find("search:"));
  return replaced(text, "batch: 100", "batch: " + batch) + "search:\n" + search;
}

Experiment with_search(const std::string& search, const std::string& batch = "100") {
  return read(text_with_search(search, batch));
}

std::vector<std::string> policies_of(const Experiment& experiment) {
  std::vector<std::string> texts;
  const std::int64_t count = candidate_count(experiment).value_or(0);
  for (std::int64_t i = 0; i < count; ++i) texts.push_back(candidate(experiment, i).policy.dump());
  return texts;
}

TEST(Search, ListIsTheFile) {
  const Experiment experiment = with_search(
      "  method: list\n"
      "  policies: [{function: fix, k0: 3}, {function: fix, k0: 1}, {function: fix, k0: 2}]\n");
  EXPECT_EQ(policies_of(experiment), (std::vector<std::string>{R"({"function":"fix","k0":3})",
                                                               R"({"function":"fix","k0":1})",
                                                               R"({"function":"fix","k0":2})"}));
  EXPECT_EQ(candidate(experiment, 0).train["batch"], 100);
}

TEST(Search, CandidatesBearTheNameOfTheirPolicy) {
  const std::string policies =
      "  policies:\n"
      "    - {name: flat, function: fix, k0: [2, 1]}\n"
      "    - {function: fix, k0: 3}\n"
      "    - {name: flat, function: fix, k0: 4}\n";
  const Experiment grid = with_search("  method: grid\n" + policies);
  const std::vector<std::string> names = {"flat", "flat", "", "flat"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(candidate_name(grid, static_cast<std::int64_t>(i)), names[i]) << i;
  }
  EXPECT_EQ(candidate_name(grid, 4), "");
  const Experiment random = with_search("  method: random\n  count: 20\n" + policies);
  for (std::int64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(candidate_name(random, i), candidate(random, i).policy.value("name", "")) << i;
  }
}

TEST(Search, GridCountsTheLastHoleFastest) {
  const Experiment experiment = with_search(
      "  method: grid\n"
      "  policies:\n"
      "    - {function: fix, k0: [2, 1]}\n"
      "    - {function: [tri, sin], k0: 1, k1: [5, 6], l: 7}\n");
  EXPECT_EQ(
      policies_of(experiment),
      (std::vector<std::string>{R"({"function":"fix","k0":2})", R"({"function":"fix","k0":1})",
                                R"({"function":"tri","k0":1,"k1":5,"l":7})",
                                R"({"function":"tri","k0":1,"k1":6,"l":7})",
                                R"({"function":"sin","k0":1,"k1":5,"l":7})",
                                R"({"function":"sin","k0":1,"k1":6,"l":7})"}));
}

TEST(Search, GridTakesTrainsChoicesToo) {
  const Experiment experiment = with_search(
      "  method: grid\n"
      "  policies: [{function: fix, k0: [2, 1]}, {function: fix, k0: 3}]\n",
      "[50, 100]");
  ASSERT_EQ(candidate_count(experiment), 6);
  std::vector<std::pair<int, int>> seen;
  for (std::int64_t i = 0; i < 6; ++i) {
    const Candidate found = candidate(experiment, i);
    seen.emplace_back(found.policy["k0"], found.train["batch"]);
  }
  EXPECT_EQ(seen, (std::vector<std::pair<int, int>>{
                      {2, 50}, {2, 100}, {1, 50}, {1, 100}, {3, 50}, {3, 100}}));
}

TEST(Search, KeyOrderOfTheFileChangesNoCandidate) {
  const Experiment one = with_search(
      "  method: grid\n  policies: [{function: [tri, sin], k0: 1, k1: [5, 6], l: [7, 8]}]\n");
  const Experiment other = with_search(
      "  policies: [{l: [7, 8], k1: [5, 6], k0: 1, function: [tri, sin]}]\n  method: grid\n");
  EXPECT_EQ(one.hash, other.hash);
  EXPECT_EQ(policies_of(one), policies_of(other));
}

TEST(Search, GridBeyondAMillionIsAnError) {
  std::string values = "[1";
  for (int i = 2; i <= 1000; ++i) values += ", " + std::to_string(i);
  values += "]";
  const auto grid = [&](const std::string& policy) {
    const auto experiment = experiment_from_yaml(
        text_with_search("  method: grid\n  policies: [" + policy + "]\n"), "e.yaml");
    return experiment ? candidate_count(*experiment)
                      : Result<std::int64_t>(tl::unexpected(experiment.error()));
  };
  EXPECT_EQ(grid("{function: tri, k0: " + values + ", k1: 0, l: " + values + "}"), 1'000'000);
  const auto error = [](int policy) {
    return "e.yaml:13: the grid has more than 1000000 candidates; use method random, or fewer "
           "choices (search.policies[" +
           std::to_string(policy) + "])";
  };
  const auto sum =
      grid("{function: tri, k0: " + values + ", k1: 0, l: " + values + "}, {function: fix, k0: 1}");
  ASSERT_FALSE(sum);
  EXPECT_EQ(sum.error().message, error(1));
  // 1000^4 and a product beyond 64 bits
  std::string segments;
  for (int i = 1; i <= 8; ++i) {
    segments += "{until: " + std::to_string(i) + ", function: tri, k0: " + values +
                ", k1: 0, l: " + values + "}, ";
  }
  const auto product = grid("{segments: [" + segments + "{function: fix, k0: 1}]}");
  ASSERT_FALSE(product);
  EXPECT_EQ(product.error().message, error(0));
}

Experiment random_experiment(const std::string& seed = "7") {
  return read(
      replaced(test::file_text("experiments/mnist-lenet-search.yaml"), "seed: 7", "seed: " + seed));
}

TEST(Search, RandomCandidatesDoNotDependOnOrder) {
  const Experiment experiment = random_experiment();
  const auto stored = experiment_from_json(experiment.normalised);
  ASSERT_TRUE(stored);
  const std::vector<std::string> in_order = policies_of(experiment);
  std::vector<std::int64_t> order(in_order.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (const std::int64_t i : order) {
    EXPECT_EQ(candidate(*stored, i).policy.dump(), in_order[static_cast<std::size_t>(i)]);
  }
}

TEST(Search, MoreDrawsKeepTheFirstOnes) {
  Experiment experiment = random_experiment();
  const std::vector<std::string> before = policies_of(experiment);
  experiment.count *= 2;
  const std::vector<std::string> after = policies_of(experiment);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

TEST(Search, SeedsDraw) {
  EXPECT_NE(policies_of(random_experiment("7")), policies_of(random_experiment("8")));
}

// Campaigns are resumed by drawing their candidates again, so these must be the same for ever and
// on every machine, to the last bit: never change the expected texts.
TEST(Search, GoldenDraws) {
  const Experiment experiment = with_search(
      "  method: random\n"
      "  count: 6\n"
      "  policies:\n"
      "    - {function: [tri, sin, cos], k0: {uniform: [0.001, 0.01]}, k1: {log: [0.02, 0.2]}, l: "
      "{int: [10, "
      "2000]}}\n"
      "    - {function: nstep, k0: {choice: [0.1, 0.2, 0.3]}, gamma: 0.5, l: [[10, 20], [30]]}\n",
      "{int: [50, 150]}");
  const std::vector<std::string> golden = {
      R"({"function":"tri","k0":0.004276861833159403,"k1":0.1074978511736364,"l":1557} 61)",
      R"({"function":"cos","k0":0.008778363959004326,"k1":0.10196354794837774,"l":1530} 123)",
      R"({"function":"nstep","gamma":0.5,"k0":0.3,"l":[30]} 134)",
      R"({"function":"tri","k0":0.0015221028760709896,"k1":0.07785156005015559,"l":1854} 141)",
      R"({"function":"nstep","gamma":0.5,"k0":0.1,"l":[30]} 137)",
      R"({"function":"cos","k0":0.006999870173416461,"k1":0.16591002200328425,"l":898} 73)"};
  for (std::int64_t i = 0; i < 6; ++i) {
    const Candidate found = candidate(experiment, i);
    EXPECT_EQ(found.policy.dump() + " " + found.train["batch"].dump(),
              golden.at(static_cast<std::size_t>(i)));
  }
}

// Counts of `values` in equal cells: chi-square with cells - 1 degrees of freedom.
double chi_square(const std::vector<double>& units, int cells) {
  std::vector<double> counts(static_cast<std::size_t>(cells));
  for (const double unit : units) {
    EXPECT_TRUE(unit >= 0 && unit <= 1) << unit;
    counts[std::min(static_cast<std::size_t>(unit * cells), counts.size() - 1)] += 1;
  }
  const double expected = static_cast<double>(units.size()) / cells;
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// With 9 degrees of freedom the chance to be above 27.9 is 0.001; the draws are fixed by the seed.
constexpr double kChiSquareBound = 27.9;

TEST(Search, DrawsAreUniform) {
  const Experiment experiment = with_search(
      "  method: random\n"
      "  count: 5000\n"
      "  policies: [{function: tri, k0: {uniform: [0.1, 0.3]}, k1: {log: [0.001, 10]}, l: {int: "
      "[1, 10]}}]\n");
  std::vector<double> uniform, logarithmic, whole;
  for (std::int64_t i = 0; i < experiment.count; ++i) {
    const nlohmann::json policy = candidate(experiment, i).policy;
    uniform.push_back((policy["k0"].get<double>() - 0.1) / 0.2);
    logarithmic.push_back((std::log10(policy["k1"].get<double>()) + 3) / 4);
    whole.push_back((policy["l"].get<int>() - 0.5) / 10);
  }
  EXPECT_LT(chi_square(uniform, 10), kChiSquareBound);
  EXPECT_LT(chi_square(logarithmic, 10), kChiSquareBound);
  EXPECT_LT(chi_square(whole, 10), kChiSquareBound);
}

TEST(Search, PoliciesAndChoicesAreDrawnEvenly) {
  const Experiment experiment = with_search(
      "  method: random\n"
      "  count: 4000\n"
      "  policies: [{function: fix, k0: [1, 2]}, {function: fix, k0: [3, 4]}]\n",
      "[50, 100]");
  std::map<std::pair<int, int>, int> counts;
  for (std::int64_t i = 0; i < experiment.count; ++i) {
    const Candidate found = candidate(experiment, i);
    ++counts[{found.policy["k0"], found.train["batch"]}];
  }
  ASSERT_EQ(counts.size(), 8u);  // no hole follows another one
  for (const auto& [values, count] : counts) EXPECT_NEAR(count, 500, 80) << values.first;
}

// Extreme bounds stay in bounds, and both ends of an int domain are drawn.
TEST(Search, DrawsStayInTheirDomains) {
  const Experiment experiment = with_search(
      "  method: random\n"
      "  count: 300\n"
      "  policies: [{function: tri, k0: {log: [1e-300, 1e300]}, k1: {uniform: [0, 1e308]}, l: "
      "{int: [1, 2]}}]\n");
  std::set<int> lengths;
  for (std::int64_t i = 0; i < experiment.count; ++i) {
    const nlohmann::json policy = candidate(experiment, i).policy;
    EXPECT_TRUE(policy["k0"] >= 1e-300 && policy["k0"] <= 1e300) << policy;
    EXPECT_TRUE(policy["k1"] >= 0 && policy["k1"] <= 1e308) << policy;
    lengths.insert(policy["l"].get<int>());
  }
  EXPECT_EQ(lengths, (std::set<int>{1, 2}));
}

TEST(Extension, IsBoundedAsAnExperimentIs) {
  const auto refusal = [](const Experiment& experiment, const Extension& extension) {
    const auto longer = extended(experiment, extension);
    return longer ? "" : longer.error().message;
  };
  const Experiment drawn = read(base_experiment());
  EXPECT_EQ(refusal(drawn, {.count = 1'000'000}), "");
  EXPECT_EQ(refusal(drawn, {.count = 1'000'001}),
            "count of search must be a whole number from 1 to 1000000, not 1000001 (search.count)");
  std::string values = "[1";
  for (int i = 2; i <= 1000; ++i) values += ", " + std::to_string(i);
  values += "]";
  const std::string thousand = "{function: tri, k0: " + values + ", k1: 0, l: 1}";
  const std::string most =
      "{function: tri, k0: " + values + ", k1: 0, l: " + values.substr(0, values.rfind(',')) + "]}";
  const Experiment grid = with_search("  method: grid\n  policies: [" + most + "]\n");
  EXPECT_EQ(refusal(grid, {.policies = "[" + thousand + "]"}), "");  // 999,000 and 1,000
  EXPECT_EQ(refusal(grid, {.policies = "[" + thousand + ", {function: fix, k0: 1}]"}),
            "the grid has more than 1000000 candidates; use method random, or fewer choices "
            "(search.policies[2])");
  std::string list = "[";
  for (int i = 1; i <= 10'000; ++i) list += "{function: fix, k0: " + std::to_string(i) + "}, ";
  const Experiment one = with_search("  method: list\n  policies: [{function: fix, k0: 0.5}]\n");
  EXPECT_EQ(refusal(one, {.policies = list + "]"}),
            "policies of search must be a list of 1 to 10000 policies (search.policies)");
}

TEST(Search, EveryCandidateIsAPolicy) {
  for (const char* file : {"experiments/quickstart.yaml", "experiments/mnist-lenet-search.yaml"}) {
    const Experiment experiment = read(test::file_text(file));
    PolicyContext context;
    context.run_iterations = experiment.length.iterations;
    for (std::int64_t i = 0; i < candidate_count(experiment).value_or(0); ++i) {
      const Candidate found = candidate(experiment, i);
      const auto policy = policy_from_json(found.policy, context);
      EXPECT_TRUE(policy) << policy.error().message;
      EXPECT_TRUE(train_spec_from_json(found.train));
    }
  }
}

}  // namespace
}  // namespace lrtune

#include "coordinator/tuning/tolerance.h"

#include <gtest/gtest.h>

#include <utility>

#include "common/policy/policy_json.h"

namespace lrtune {
namespace {

using Pairs = std::vector<std::pair<std::int64_t, double>>;

Pairs pairs(std::span<const ScaledRun> runs) {
  Pairs result;
  for (const ScaledRun& run : runs) result.emplace_back(run.of.value, run.scale);
  return result;
}

TEST(PlanTolerance, HasEveryScaleButOneOfTheBest) {
  const std::vector<TrialId> ranked = {{7}, {3}, {9}};
  const std::vector<double> scales = {0.1, 1, 10};
  EXPECT_EQ(pairs(plan_tolerance(ranked, 2, scales)),
            (Pairs{{7, 0.1}, {7, 10}, {3, 0.1}, {3, 10}}));
  EXPECT_TRUE(plan_tolerance(ranked, 0, scales).empty());
  EXPECT_TRUE(plan_tolerance({}, 2, scales).empty());
  EXPECT_EQ(plan_tolerance(ranked, 9, scales).size(), 6u);
}

// Every rate of every function, as the definition of tolerance wants it.
TEST(ScaledPolicy, HasTheSameShapeAtAnotherHeight) {
  const auto policy = policy_from_json(nlohmann::json::parse(R"({"segments": [
        {"until": 40, "function": "triexp", "k0": 0.06, "k1": 0.01, "l": 7, "gamma": 0.99},
        {"until": 80, "function": "poly", "k0": 0.02, "k1": 0.001, "l": 40, "p": 1.5},
        {"until": 120, "function": "nstep", "k0": 0.01, "l": [9, 20], "gamma": 0.1},
        {"until": 160, "function": "inv", "k0": 0.1, "gamma": 0.001, "p": 0.75},
        {"function": "sig", "k0": 0.05, "gamma": -0.1, "l": 20}]})"),
                                       {.run_iterations = 200});
  ASSERT_TRUE(policy) << policy.error().message;
  for (const double scale : {0.1, 5.0}) {
    const Policy other = scaled(*policy, scale);
    for (std::int64_t t = 0; t < 200; ++t) {
      const double rate = learning_rate(*policy, t) * scale;
      EXPECT_NEAR(learning_rate(other, t), rate, 1e-12 * rate) << "t " << t;
    }
  }
}

}  // namespace
}  // namespace lrtune

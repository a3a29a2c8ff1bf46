#include "coordinator/tuning/verification.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

namespace lrtune {
namespace {

std::vector<std::pair<std::int64_t, std::uint32_t>> pairs(std::span<const VerificationRun> runs) {
  std::vector<std::pair<std::int64_t, std::uint32_t>> result;
  for (const VerificationRun& run : runs) result.emplace_back(run.of.value, run.repeat);
  return result;
}

using Pairs = std::vector<std::pair<std::int64_t, std::uint32_t>>;

TEST(PlanVerification, PutsEachRepeatOfAllPoliciesBeforeTheNextRepeat) {
  const std::vector<TrialId> ranked = {{7}, {3}, {9}, {1}};
  EXPECT_EQ(pairs(plan_verification(ranked, 2, 3)),
            (Pairs{{7, 1}, {3, 1}, {7, 2}, {3, 2}, {7, 3}, {3, 3}}));
}

TEST(PlanVerification, TakesWhatIsThereIfFewerEndedWell) {
  const std::vector<TrialId> ranked = {{4}};
  EXPECT_EQ(pairs(plan_verification(ranked, 5, 2)), (Pairs{{4, 1}, {4, 2}}));
  EXPECT_TRUE(plan_verification({}, 3, 5).empty());
}

TEST(PlanVerification, NothingToVerifyIsAnEmptyPlan) {
  const std::vector<TrialId> ranked = {{1}, {2}};
  EXPECT_TRUE(plan_verification(ranked, 0, 5).empty());
  EXPECT_TRUE(plan_verification(ranked, 3, 0).empty());
}

TEST(PlanVerification, HasEachPolicyAndRepeatOnce) {
  std::vector<TrialId> ranked;
  for (std::int64_t id = 1; id <= 12; ++id) ranked.push_back({id * 5 % 13});
  for (int top = 0; top <= 13; ++top) {
    for (int repeats = 0; repeats <= 6; ++repeats) {
      const auto runs = pairs(plan_verification(ranked, top, repeats));
      const auto policies = std::min<std::size_t>(static_cast<std::size_t>(top), ranked.size());
      ASSERT_EQ(runs.size(), policies * static_cast<std::size_t>(repeats));
      EXPECT_EQ(std::set(runs.begin(), runs.end()).size(), runs.size());
      for (std::size_t i = 1; i < runs.size(); ++i) EXPECT_LE(runs[i - 1].second, runs[i].second);
    }
  }
}

}  // namespace
}  // namespace lrtune

#include "coordinator/tuning/stage_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <set>

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

LrFunction fix(double k0) { return {.kind = LrFunctionKind::kFix, .k0 = k0}; }

// Fixed rates, each until the iteration beside it; the last one goes on.
Policy steps(std::initializer_list<std::pair<double, std::int64_t>> parts) {
  Policy policy;
  for (const auto& [rate, until] : parts) policy.segments.push_back({fix(rate), until});
  policy.segments.back().until = kNoEnd;
  return policy;
}

struct Planned {
  explicit Planned(std::vector<std::pair<Policy, std::int64_t>> given, std::int64_t least = 1)
      : runs(std::move(given)) {
    std::vector<SharedRun> shared;
    for (const auto& [policy, iterations] : runs) shared.push_back({&policy, iterations});
    plan = plan_stages(shared, least);
  }
  // Iterations that are trained: each run from its last stage on, each stage from its parent on.
  std::int64_t trained() const {
    std::int64_t sum = 0;
    std::set<std::pair<std::size_t, std::int64_t>> ends;
    for (std::size_t run = 0; run < runs.size(); ++run) {
      const std::int64_t from = plan.from[run] ? plan.stages[*plan.from[run]].end : 0;
      sum += runs[run].second - from;
    }
    for (const SharedStage& stage : plan.stages) {
      if (runs[stage.run].second == stage.end) continue;  // the run itself
      sum += stage.end - (stage.parent ? plan.stages[*stage.parent].end : 0);
    }
    return sum;
  }

  std::vector<std::pair<Policy, std::int64_t>> runs;
  StagePlan plan;
};

TEST(StagePlanTest, RunsThatBeginAlikeShareOneStageUpToWhereTheyPart) {
  const Planned planned({{steps({{0.1, 40}, {0.01, 0}}), 100},
                         {steps({{0.1, 60}, {0.01, 0}}), 100},
                         {steps({{0.2, 40}, {0.01, 0}}), 100}});
  ASSERT_EQ(planned.plan.stages.size(), 1u);
  EXPECT_EQ(planned.plan.stages[0].end, 40);
  EXPECT_FALSE(planned.plan.stages[0].parent);
  EXPECT_THAT(planned.plan.from, ElementsAre(0u, 0u, std::nullopt));
  EXPECT_EQ(planned.trained(), 300 - 40);
}

TEST(StagePlanTest, StagesFollowEachOther) {
  const Planned planned({{steps({{0.1, 40}, {0.01, 70}, {0.001, 0}}), 100},
                         {steps({{0.1, 40}, {0.01, 80}, {0.002, 0}}), 100},
                         {steps({{0.1, 40}, {0.02, 0}}), 100}});
  ASSERT_EQ(planned.plan.stages.size(), 2u);
  EXPECT_EQ(planned.plan.stages[0].end, 40);
  EXPECT_EQ(planned.plan.stages[1].end, 70);
  EXPECT_EQ(planned.plan.stages[1].parent, 0u);
  EXPECT_THAT(planned.plan.from, ElementsAre(1u, 1u, 0u));
  EXPECT_EQ(planned.trained(), 300 - 2 * 40 - 30);
}

TEST(StagePlanTest, ShorterRunIsItselfTheStageOfTheLongerOnes) {
  const Policy policy = steps({{0.1, 0}});
  const Planned planned({{policy, 100}, {policy, 50}, {policy, 25}});
  ASSERT_EQ(planned.plan.stages.size(), 2u);
  EXPECT_EQ(planned.plan.stages[0].run, 2u);
  EXPECT_EQ(planned.plan.stages[1].run, 1u);
  EXPECT_THAT(planned.plan.from, ElementsAre(1u, 0u, std::nullopt));
  EXPECT_EQ(planned.trained(), 100);
}

TEST(StagePlanTest, BeginningThatSavesTooLittleIsNoStage) {
  // A cycle begins at its low end whatever its high end is: one iteration in common.
  const auto cycle = [](double high) {
    return Policy{{{.function = {.kind = LrFunctionKind::kTri, .k0 = 0.01, .k1 = high, .l = 10}}}};
  };
  EXPECT_EQ(Planned({{cycle(0.1), 100}, {cycle(0.2), 100}}).plan.stages.size(), 1u);
  const Planned planned({{cycle(0.1), 100}, {cycle(0.2), 100}}, 2);
  EXPECT_THAT(planned.plan.stages, IsEmpty());
  EXPECT_THAT(planned.plan.from, ElementsAre(std::nullopt, std::nullopt));
}

TEST(StagePlanTest, FortyCompositesOverFourFirstSegmentsShareThem) {
  std::vector<std::pair<Policy, std::int64_t>> runs;
  for (int first = 1; first <= 4; ++first) {
    for (int second = 1; second <= 10; ++second)
      runs.push_back({steps({{0.01 * first, 60}, {0.001 * second, 0}}), 100});
  }
  const Planned planned(runs, 10);
  EXPECT_EQ(planned.plan.stages.size(), 4u);
  EXPECT_EQ(planned.trained(), 4 * 60 + 40 * 40);  // 46 % of 4,000
}

TEST(StagePlanTest, FirstDifferenceSkipsWhatIsWrittenAlikeAndComparesBitsElsewhere) {
  const Policy a = steps({{0.1, 40}, {0.01, 0}});
  const Policy b = steps({{0.1, 20}, {0.1, 50}, {0.01, 0}});  // the same rates up to 40
  EXPECT_EQ(first_difference(a, b, 0, 100), 40);
  EXPECT_EQ(first_difference(a, a, 0, 100), 100);
  EXPECT_EQ(first_difference(a, b, 0, 30), 30);
  const Policy shifted{{{.function = fix(0.1), .until = kNoEnd, .from_t = 5}}};
  EXPECT_EQ(first_difference(steps({{0.1, 0}}), shifted, 0, 3000), 3000);
}

// Composites of few different parts, so that many begin alike.
Policy any_policy() {
  Policy policy;
  std::int64_t until = 0;
  const int parts = *rc::gen::inRange(1, 4);
  for (int part = 0; part < parts; ++part) {
    until += *rc::gen::inRange<std::int64_t>(1, 4) * 5;
    policy.segments.push_back({fix(0.01 * *rc::gen::inRange(1, 3)), until});
  }
  policy.segments.back().until = kNoEnd;
  return policy;
}

RC_GTEST_PROP(StagePlanProperty, EachStageIsABeginningOfAllThatGoOnFromIt, ()) {
  std::vector<std::pair<Policy, std::int64_t>> runs;
  const int count = *rc::gen::inRange(1, 12);
  std::set<std::vector<double>> seen;  // two runs that are the same are one job
  for (int run = 0; run < count; ++run) {
    Policy policy = any_policy();
    std::vector<double> rates(static_cast<std::size_t>(*rc::gen::inRange(0, 40)));
    learning_rates(policy, 0, rates);
    if (seen.insert(rates).second)
      runs.push_back({std::move(policy), static_cast<std::int64_t>(rates.size())});
  }
  const auto least = *rc::gen::inRange<std::int64_t>(1, 8);
  const Planned planned(runs, least);
  std::int64_t asked = 0;
  const auto begins_alike = [&](std::size_t a, std::size_t b, std::int64_t end) {
    for (std::int64_t t = 0; t < end; ++t) {
      RC_ASSERT(std::bit_cast<std::uint64_t>(learning_rate(runs[a].first, t)) ==
                std::bit_cast<std::uint64_t>(learning_rate(runs[b].first, t)));
    }
  };
  for (std::size_t run = 0; run < runs.size(); ++run) {
    asked += runs[run].second;
    if (!planned.plan.from[run]) continue;
    const SharedStage& stage = planned.plan.stages[*planned.plan.from[run]];
    RC_ASSERT(stage.end < runs[run].second);
    begins_alike(run, stage.run, stage.end);
  }
  for (std::size_t i = 0; i < planned.plan.stages.size(); ++i) {
    const SharedStage& stage = planned.plan.stages[i];
    RC_ASSERT(stage.end > 0 && stage.end <= runs[stage.run].second);
    if (!stage.parent) continue;
    RC_ASSERT(*stage.parent < i);
    RC_ASSERT(planned.plan.stages[*stage.parent].end < stage.end);
    begins_alike(stage.run, planned.plan.stages[*stage.parent].run,
                 planned.plan.stages[*stage.parent].end);
  }
  RC_ASSERT(planned.trained() <= asked);
  const auto stages = static_cast<std::int64_t>(planned.plan.stages.size());
  RC_ASSERT(asked - planned.trained() >= least * std::min<std::int64_t>(stages, 1));
}

}  // namespace
}  // namespace lrtune

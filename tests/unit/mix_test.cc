// The weighted mix and the Pareto view, against numbers worked out by hand.
#include "coordinator/ranking/mix.h"

#include <gmock/gmock.h>

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// `target`: iterations; 0: never met. One run of 1000 iterations.
Measured run(double top1, double target, double loss_difference) {
  Measured one;
  one.iterations = 1000;
  one.scores.repeats = one.scores.ended_well = 1;
  one.scores.met_target = target > 0 ? 1 : 0;
  one.scores.top1.mean = top1;
  one.scores.target_iteration.mean = target;
  one.scores.loss_difference.mean = loss_difference;
  return one;
}

Measured diverged() {
  Measured one = run(0.99, 1, 0);
  one.scores.ended_well = 0;
  return one;
}

// top-1 from 0.90 to 0.98: 0.94 is half way. Cost from 500 to 2000 (never met, twice 1000
// iterations): 800 gives (2000 - 800) / 1500 = 0.8. |loss difference| from 0 to 0.4: 0.1 gives
// 0.75.
TEST(Mix, IsTheWeightedMeanOfSharesOfTheSpan) {
  const std::vector<Measured> all = {run(0.98, 0, 0.4), run(0.94, 800, -0.1), run(0.90, 500, 0),
                                     diverged()};
  const auto mixes = mix(all, {.utility = 1, .cost = 0.5, .robustness = 0.5});
  ASSERT_EQ(mixes.size(), 4U);
  EXPECT_NEAR(mixes[0]->utility, 1, 1e-12);
  EXPECT_NEAR(mixes[0]->cost, 0, 1e-12);
  EXPECT_NEAR(mixes[0]->robustness, 0, 1e-12);
  EXPECT_NEAR(mixes[0]->mixed, 1 / 2.0, 1e-12);
  EXPECT_NEAR(mixes[1]->utility, 0.5, 1e-12);
  EXPECT_NEAR(mixes[1]->cost, 0.8, 1e-12);
  EXPECT_NEAR(mixes[1]->robustness, 0.75, 1e-12);
  EXPECT_NEAR(mixes[1]->mixed, (0.5 + 0.4 + 0.375) / 2, 1e-12);
  EXPECT_NEAR(mixes[2]->mixed, (0 + 0.5 + 0.5) / 2, 1e-12);
  EXPECT_FALSE(mixes[3]);
  // 0.6375, then two of 0.5 in their order, then the one without.
  EXPECT_THAT(rank_mixed(mixes), ElementsAre(1, 0, 2, 3));
}

TEST(Mix, WhatIsEqualInAllCountsAsBest) {
  const std::vector<Measured> all = {run(0.9, 0, 0.1), run(0.9, 0, 0.1)};
  const auto mixes = mix(all, {.utility = 1, .cost = 1, .robustness = 1});
  EXPECT_EQ(mixes[0]->mixed, 1);
  EXPECT_EQ(mixes[1]->mixed, 1);
  EXPECT_TRUE(mix({}, {.utility = 1}).empty());
}

TEST(Mix, ReadsWeights) {
  const auto weights = weights_from_text("utility=1,robustness=0.25");
  ASSERT_TRUE(weights);
  EXPECT_EQ(weights->utility, 1);
  EXPECT_EQ(weights->cost, 0);
  EXPECT_EQ(weights->robustness, 0.25);
  for (const char* bad :
       {"utility", "speed=1", "cost=-1", "cost=x", "cost=1x", "cost=", "cost=inf"}) {
    const auto refused = weights_from_text(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_THAT(refused.error().message, HasSubstr(std::string("'") + bad + "' is no weight"));
  }
  for (const char* none : {"", "cost=0", "utility=0,cost=0"}) {
    ASSERT_FALSE(weights_from_text(none)) << none;
    EXPECT_THAT(weights_from_text(none).error().message, HasSubstr("one must be above 0"));
  }
}

// 3 is beaten by 1 (as fast and as robust, less accurate); 4 has an equal, and neither beats the
// other.
TEST(Pareto, KeepsWhatNothingBeats) {
  const std::vector<Measured> all = {run(0.98, 0, 0.4),   run(0.94, 800, -0.1), diverged(),
                                     run(0.93, 800, 0.1), run(0.90, 500, 0),    run(0.90, 500, 0)};
  EXPECT_THAT(pareto_front(all), ElementsAre(0, 1, 4, 5));
  EXPECT_TRUE(pareto_front({}).empty());
}

}  // namespace
}  // namespace lrtune

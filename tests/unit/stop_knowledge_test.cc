// Stop rules against what has ended; the numbers are worked out by hand.
#include <gtest/gtest.h>

#include "coordinator/search/stop_knowledge.h"

namespace lrtune {
namespace {

MetricPoint point(std::int64_t iteration, double top1, double loss = 1) {
  MetricPoint point;
  point.iteration = iteration;
  point.evaluated.top1 = top1;
  point.evaluated.loss = loss;
  return point;
}

RunSoFar run_of(std::vector<MetricPoint> points, std::optional<Target> target = std::nullopt) {
  return run_so_far(points, RankBy::kTop1, target);
}

StopRules median_of(std::int64_t others) {
  StopRules rules;
  rules.median = true;
  rules.median_others = others;
  return rules;
}

TEST(StopKnowledge, TheBestSoFarIsHeldAgainstTheMedianOfAverages) {
  StopKnowledge knowledge(median_of(3));
  // Averages until 20: 0.5, 0.3 and 0.7; the start, which nothing was trained for, counts for none.
  knowledge.add(run_of({point(0, 0.1), point(10, 0.4), point(20, 0.6)}));
  knowledge.add(run_of({point(0, 0.1), point(10, 0.2), point(20, 0.4)}));
  knowledge.add(run_of({point(0, 0.1), point(10, 0.6), point(20, 0.8)}));
  const auto worse = knowledge.judge(run_of({point(10, 0.49), point(20, 0.3)}), 30, 0);
  ASSERT_TRUE(worse);
  EXPECT_EQ(worse->iteration, 20);
  EXPECT_EQ(worse->known["rule"], "median");
  EXPECT_EQ(worse->known["own_best"], 0.49);
  EXPECT_EQ(worse->known["median"], 0.5);
  EXPECT_EQ(worse->known["others"], 3);
  EXPECT_FALSE(knowledge.judge(run_of({point(10, 0.5), point(20, 0.3)}), 30, 0));
}

TEST(StopKnowledge, ItIsHeldAgainstThoseThatGotSoFar) {
  StopKnowledge knowledge(median_of(2));
  knowledge.add(run_of({point(10, 0.4), point(20, 0.6)}));
  knowledge.add(run_of({point(10, 0.2)}));  // stopped at its target
  EXPECT_TRUE(knowledge.judge(run_of({point(10, 0.1)}), 20, 0));
  EXPECT_FALSE(knowledge.judge(run_of({point(10, 0.1), point(20, 0.1)}), 30, 0));
  EXPECT_FALSE(knowledge.judge(run_of({point(15, 0.1)}), 20, 0));
  EXPECT_FALSE(knowledge.judge(run_of({point(0, 0.1)}), 10, 0));
}

TEST(StopKnowledge, NoRunIsStoppedBeforeItsTime) {
  StopKnowledge knowledge(median_of(1));
  knowledge.add(run_of({point(10, 0.4), point(20, 0.6)}));
  EXPECT_FALSE(knowledge.judge(run_of({point(10, 0.1)}), 20, 11));
  EXPECT_TRUE(knowledge.judge(run_of({point(10, 0.1)}), 20, 10));
}

TEST(StopKnowledge, LowLossesAreBetter) {
  StopKnowledge knowledge(median_of(1));
  const auto by_loss = [](double loss) {
    const std::vector<MetricPoint> points = {point(10, 0, loss)};
    return run_so_far(points, RankBy::kLoss, std::nullopt);
  };
  knowledge.add(by_loss(0.5));
  EXPECT_TRUE(knowledge.judge(by_loss(0.6), 20, 0));
  EXPECT_FALSE(knowledge.judge(by_loss(0.4), 20, 0));
}

// Rankings by what it takes to the target compare runs on the way by what the target measures.
TEST(StopKnowledge, ByCostAndBySecondsTheTargetSaysWhatIsBetter) {
  const std::vector<MetricPoint> points = {point(10, 0.25, 0.5)};
  for (const RankBy by : {RankBy::kCost, RankBy::kSeconds}) {
    EXPECT_EQ(run_so_far(points, by, Target{Measure::kLoss, 0.1}).points.at(0).value, -0.5);
    EXPECT_EQ(run_so_far(points, by, Target{Measure::kTop1, 0.9}).points.at(0).value, 0.25);
  }
}

TEST(StopKnowledge, WhoCanNoLongerMeetTheTargetEarlyEnoughStops) {
  StopRules rules;
  rules.cannot_win = true;
  rules.cannot_win_places = 2;
  StopKnowledge knowledge(rules);
  const Target target{Measure::kTop1, 0.8};
  const auto met_at = [&](std::int64_t iteration) {
    return run_of({point(10, 0.1), point(iteration, 0.9)}, target);
  };
  knowledge.add(met_at(40));
  const RunSoFar own = run_of({point(10, 0.1), point(30, 0.5)}, target);
  EXPECT_FALSE(knowledge.judge(own, 41, 0));  // there is a second place
  knowledge.add(met_at(60));
  knowledge.add(met_at(20));
  const auto stop = knowledge.judge(own, 41, 0);
  ASSERT_TRUE(stop);
  EXPECT_EQ(
      stop->known,
      nlohmann::json({{"rule", "cannot_win"}, {"earliest", 41}, {"to_beat", 40}, {"finished", 3}}));
  EXPECT_FALSE(knowledge.judge(own, 40, 0));         // a tie
  EXPECT_FALSE(knowledge.judge(met_at(70), 80, 0));  // it has met it
}

TEST(StopKnowledge, TheOrderOfWhatIsAddedDoesNotMatter) {
  StopKnowledge one(median_of(1));
  StopKnowledge other(median_of(1));
  const std::vector<double> values = {0.3, 0.9, 0.1, 0.5, 0.7};
  for (std::size_t i = 0; i < values.size(); ++i) {
    one.add(run_of({point(10, values[i])}));
    other.add(run_of({point(10, values[values.size() - 1 - i])}));
  }
  EXPECT_EQ(one.judge(run_of({point(10, 0.49)}), 20, 0),
            other.judge(run_of({point(10, 0.49)}), 20, 0));
  EXPECT_TRUE(one.judge(run_of({point(10, 0.49)}), 20, 0));
}

}  // namespace
}  // namespace lrtune

#include "coordinator/ranking/ranking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace lrtune {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::array kAllBy = {RankBy::kTop1, RankBy::kLoss, RankBy::kCost, RankBy::kRobustness,
                               RankBy::kSeconds};
constexpr std::array kAllAt = {RankAt::kBest, RankAt::kFinal};
constexpr Target kTop1Target{.measure = Measure::kTop1, .value = 0.9};

MetricPoint point(std::int64_t iteration, double top1, double loss, double train_loss = 0) {
  MetricPoint result;
  result.iteration = iteration;
  result.evaluated = {.loss = loss, .top1 = top1, .top5 = std::min(1.0, top1 + 0.05)};
  result.train = {.loss = train_loss, .top1 = top1, .top5 = 1};
  result.train_seconds = static_cast<double>(iteration) * 0.02;
  result.evaluate_seconds = static_cast<double>(iteration) * 0.01;
  return result;
}

Scores well(double top1, double loss = 1, double train_loss = 0) {
  const std::vector points = {point(100, top1, loss, train_loss)};
  return score(points, OutcomeKind::kCompleted, kTop1Target);
}

using Order = std::vector<std::size_t>;

TEST(Score, KeepsBestAndFinal) {
  const std::vector points = {point(0, 0.1, 2.3, 2.3), point(50, 0.8, 0.4, 0.3),
                              point(100, 0.7, 0.2, 0.1)};
  const Scores scores = score(points, OutcomeKind::kCompleted, std::nullopt);
  EXPECT_TRUE(scores.ended_well);
  EXPECT_TRUE(scores.measured);
  EXPECT_EQ(scores.best, points[1]);
  EXPECT_EQ(scores.lowest_loss, points[2]);
  EXPECT_EQ(scores.final, points[2]);
  EXPECT_EQ(scores.target_iteration, std::nullopt);
  EXPECT_DOUBLE_EQ(scores.seconds, 3.0);
  EXPECT_DOUBLE_EQ(scores.loss_difference(RankAt::kBest), -0.1);
  EXPECT_DOUBLE_EQ(scores.loss_difference(RankAt::kFinal), -0.1);
}

TEST(Score, TakesTheEarliestOfEqualPoints) {
  const std::vector points = {point(0, 0.5, 1), point(10, 0.9, 0.3), point(20, 0.9, 0.3)};
  const Scores scores = score(points, OutcomeKind::kCompleted, std::nullopt);
  EXPECT_EQ(scores.best.iteration, 10);
  EXPECT_EQ(scores.lowest_loss.iteration, 10);
}

TEST(Score, FindsTheFirstIterationThatMeetsTheTarget) {
  const std::vector points = {point(0, 0.1, 2.3), point(50, 0.9, 0.4), point(100, 0.95, 0.3)};
  const Scores top1 = score(points, OutcomeKind::kCompleted, kTop1Target);
  EXPECT_EQ(top1.target_iteration, 50);
  EXPECT_DOUBLE_EQ(top1.target_seconds, 1.5);
  const Scores loss = score(points, OutcomeKind::kCompleted, Target{Measure::kLoss, 0.3});
  EXPECT_EQ(loss.target_iteration, 100);
  const Scores never = score(points, OutcomeKind::kCompleted, Target{Measure::kTop1, 0.99});
  EXPECT_EQ(never.target_iteration, std::nullopt);
  EXPECT_EQ(never.target_seconds, 0);
}

TEST(Score, OnlyCompletedAndTargetReachedEndWell) {
  const std::vector points = {point(0, 0.1, 2.3)};
  EXPECT_TRUE(score(points, OutcomeKind::kCompleted, std::nullopt).ended_well);
  EXPECT_TRUE(score(points, OutcomeKind::kTargetReached, std::nullopt).ended_well);
  EXPECT_TRUE(score(points, OutcomeKind::kTimeLimit, std::nullopt).ended_well);
  EXPECT_FALSE(score(points, OutcomeKind::kDiverged, std::nullopt).ended_well);
  EXPECT_FALSE(score(points, OutcomeKind::kFailed, std::nullopt).ended_well);
  EXPECT_FALSE(score(points, OutcomeKind::kStopped, std::nullopt).ended_well);
  EXPECT_FALSE(score({}, OutcomeKind::kDiverged, std::nullopt).measured);
}

TEST(Score, APointThatIsNotANumberIsNeverTheBest) {
  const std::vector points = {point(0, kNan, kNan), point(10, 0.2, 2.0),
                              point(20, kNan, kInfinity)};
  const Scores scores = score(points, OutcomeKind::kDiverged, Target{Measure::kLoss, 5});
  EXPECT_EQ(scores.best.iteration, 10);
  EXPECT_EQ(scores.lowest_loss.iteration, 10);
  EXPECT_EQ(scores.target_iteration, 10);
}

TEST(Rank, FollowsEachMeasure) {
  // top-1, evaluated loss, train loss
  const std::vector scores = {well(0.80, 0.30, 0.29), well(0.95, 0.40, 0.10),
                              well(0.92, 0.20, 0.40)};
  EXPECT_EQ(rank(scores, RankBy::kTop1, RankAt::kBest), (Order{1, 2, 0}));
  EXPECT_EQ(rank(scores, RankBy::kLoss, RankAt::kBest), (Order{2, 0, 1}));
  EXPECT_EQ(rank(scores, RankBy::kRobustness, RankAt::kBest), (Order{0, 2, 1}));
}

TEST(Rank, BestAndFinalMayDiffer) {
  const std::vector peaked = {point(0, 0.99, 0.1, 0.1), point(10, 0.5, 0.9, 0.2)};
  const std::vector steady = {point(0, 0.10, 2.0, 1.0), point(10, 0.9, 0.3, 0.3)};
  const std::vector scores = {score(peaked, OutcomeKind::kCompleted, std::nullopt),
                              score(steady, OutcomeKind::kCompleted, std::nullopt)};
  EXPECT_EQ(rank(scores, RankBy::kTop1, RankAt::kBest), (Order{0, 1}));
  EXPECT_EQ(rank(scores, RankBy::kTop1, RankAt::kFinal), (Order{1, 0}));
  EXPECT_EQ(rank(scores, RankBy::kLoss, RankAt::kBest), (Order{0, 1}));
  EXPECT_EQ(rank(scores, RankBy::kLoss, RankAt::kFinal), (Order{1, 0}));
  EXPECT_EQ(rank(scores, RankBy::kRobustness, RankAt::kFinal), (Order{1, 0}));
}

TEST(Rank, CostPutsTrialsThatNeverMetTheTargetAfterAllThatDid) {
  const auto met_at = [](std::int64_t iteration, double top1) {
    const std::vector points = {point(iteration, top1, 1)};
    return score(points, OutcomeKind::kCompleted, kTop1Target);
  };
  const std::vector scores = {met_at(10, 0.5), met_at(900, 0.91), met_at(20, 0.89),
                              met_at(300, 0.9)};
  EXPECT_EQ(rank(scores, RankBy::kCost, RankAt::kBest), (Order{3, 1, 2, 0}));
}

// Of two ways of training the one with more iterations to the target may be there sooner.
TEST(Rank, SecondsMayDifferFromCost) {
  const auto met_at = [](std::int64_t iteration, double train_seconds, double top1) {
    MetricPoint reached = point(iteration, top1, 1);
    reached.train_seconds = train_seconds;
    reached.evaluate_seconds = 1;
    const std::vector points = {reached};
    return score(points, OutcomeKind::kCompleted, kTop1Target);
  };
  const std::vector scores = {met_at(100, 60, 0.91), met_at(10, 1, 0.5), met_at(400, 9, 0.9),
                              met_at(20, 1, 0.6), met_at(300, 9, 0.9)};
  EXPECT_EQ(rank(scores, RankBy::kCost, RankAt::kBest), (Order{0, 4, 2, 3, 1}));
  EXPECT_EQ(rank(scores, RankBy::kSeconds, RankAt::kBest), (Order{2, 4, 0, 3, 1}));
  EXPECT_EQ(ranked_value(scores[2], RankBy::kSeconds, RankAt::kBest), -10);
  EXPECT_EQ(ranked_value(scores[2], RankBy::kCost, RankAt::kBest), -400);
  EXPECT_EQ(ranked_value(scores[1], RankBy::kSeconds, RankAt::kBest), std::nullopt);
}

TEST(Rank, DivergedComesLastAndUnmeasuredAfterMeasured) {
  const std::vector points = {point(0, 1.0, 0, 0)};
  std::vector<Scores> scores = {score({}, OutcomeKind::kFailed, std::nullopt),
                                score(points, OutcomeKind::kDiverged, kTop1Target), well(0.1, 9, 1),
                                score({}, OutcomeKind::kDiverged, std::nullopt)};
  for (RankBy by : kAllBy) {
    EXPECT_EQ(rank(scores, by, RankAt::kBest), (Order{2, 1, 0, 3})) << static_cast<int>(by);
  }
}

TEST(Rank, EqualsKeepTheirOrder) {
  const std::vector<Scores> scores(5, well(0.7));
  for (RankBy by : kAllBy) {
    EXPECT_EQ(rank(scores, by, RankAt::kFinal), (Order{0, 1, 2, 3, 4})) << static_cast<int>(by);
  }
}

// Random scores with many ties, some of them not finite.
class RandomScores {
 public:
  explicit RandomScores(std::uint32_t seed) : generator_(seed) {}

  Scores one() {
    static constexpr std::array kOutcomes = {OutcomeKind::kCompleted, OutcomeKind::kCompleted,
                                             OutcomeKind::kTargetReached, OutcomeKind::kDiverged,
                                             OutcomeKind::kFailed};
    std::vector<MetricPoint> points;
    const int count = pick(4);
    for (int i = 0; i < count; ++i) points.push_back(point(i * 10, value() / 2, value(), value()));
    return score(points, kOutcomes[static_cast<std::size_t>(pick(5))], kTop1Target);
  }

  std::vector<Scores> many() {
    std::vector<Scores> scores(static_cast<std::size_t>(pick(20)));
    for (Scores& each : scores) each = one();
    return scores;
  }

  int pick(int limit) { return static_cast<int>(generator_() % static_cast<unsigned>(limit)); }
  std::mt19937& generator() { return generator_; }

 private:
  double value() {
    const int choice = pick(12);
    if (choice == 0) return kNan;
    if (choice == 1) return kInfinity;
    return pick(10) / 5.0;
  }

  std::mt19937 generator_;
};

int group_of(const Scores& scores) {
  return (scores.ended_well ? 0 : 2) + (scores.measured ? 0 : 1);
}

TEST(RankProperty, IsAPermutationThatKeepsTheGroups) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<Scores> scores = RandomScores(seed).many();
    for (RankBy by : kAllBy) {
      for (RankAt at : kAllAt) {
        const Order order = rank(scores, by, at);
        Order sorted = order;
        std::sort(sorted.begin(), sorted.end());
        Order all(scores.size());
        std::iota(all.begin(), all.end(), std::size_t{0});
        ASSERT_EQ(sorted, all);
        for (std::size_t i = 1; i < order.size(); ++i) {
          ASSERT_LE(group_of(scores[order[i - 1]]), group_of(scores[order[i]]));
        }
      }
    }
  }
}

// A total preorder: who comes before whom in a pair decides it in any larger set (no cycles),
// whatever the order of the input.
TEST(RankProperty, APairDecidesThePlacesInTheWholeSet) {
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<Scores> scores = RandomScores(seed).many();
    for (RankBy by : kAllBy) {
      const Order order = rank(scores, by, RankAt::kBest);
      for (std::size_t i = 0; i < order.size(); ++i) {
        for (std::size_t j = i + 1; j < order.size(); ++j) {
          const std::vector pair = {scores[order[i]], scores[order[j]]};
          const std::vector turned = {scores[order[j]], scores[order[i]]};
          const bool equal = rank(pair, by, RankAt::kBest) == rank(turned, by, RankAt::kBest);
          ASSERT_EQ(rank(pair, by, RankAt::kBest), (Order{0, 1}));
          if (equal) {
            ASSERT_LT(order[i], order[j]);
          }
        }
      }
    }
  }
}

std::size_t place_of(const std::vector<Scores>& scores, std::size_t index, RankBy by) {
  const Order order = rank(scores, by, RankAt::kBest);
  return static_cast<std::size_t>(std::find(order.begin(), order.end(), index) - order.begin());
}

TEST(RankProperty, ImprovingATrialNeverWorsensItsPlace) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    RandomScores random(seed);
    std::vector<Scores> scores = random.many();
    if (scores.empty()) continue;
    const auto index = static_cast<std::size_t>(random.pick(static_cast<int>(scores.size())));
    const std::vector<Scores> before = scores;
    Scores& one = scores[index];
    if (!one.measured) continue;
    one.best.evaluated.top1 = 2;
    one.lowest_loss.evaluated.loss = -1;
    one.best.train.loss = one.best.evaluated.loss = 0.5;
    if (one.target_iteration) *one.target_iteration = -1;
    one.target_seconds = -1;
    for (RankBy by : kAllBy) ASSERT_LE(place_of(scores, index, by), place_of(before, index, by));
  }
}

TEST(MeanAndDeviation, OfASample) {
  EXPECT_EQ(mean_and_deviation({}).mean, 0);
  const std::vector<double> one = {0.25};
  EXPECT_EQ(mean_and_deviation(one).mean, 0.25);
  EXPECT_EQ(mean_and_deviation(one).deviation, 0);
  const std::vector<double> four = {2, 4, 4, 6};
  EXPECT_DOUBLE_EQ(mean_and_deviation(four).mean, 4);
  EXPECT_DOUBLE_EQ(mean_and_deviation(four).deviation, std::sqrt(8.0 / 3.0));
  const std::vector<double> equal(7, 0.1);
  EXPECT_EQ(mean_and_deviation(equal).mean, 0.1);
  EXPECT_EQ(mean_and_deviation(equal).deviation, 0);
}

TEST(Combine, CountsOnlyRepeatsThatEndedWell) {
  const std::vector points = {point(0, 0.2, 4)};
  const std::vector repeats = {well(0.92, 0.2, 0.1), well(0.88, 0.4, 0.2),
                               score(points, OutcomeKind::kDiverged, std::nullopt)};
  const RepeatedScores combined = combine(repeats, RankAt::kBest);
  EXPECT_EQ(combined.repeats, 3);
  EXPECT_EQ(combined.ended_well, 2);
  EXPECT_EQ(combined.met_target, 1);
  EXPECT_DOUBLE_EQ(combined.top1.mean, 0.90);
  EXPECT_DOUBLE_EQ(combined.loss.mean, 0.3);
  EXPECT_DOUBLE_EQ(combined.loss_difference.mean, -0.15);
  EXPECT_DOUBLE_EQ(combined.target_iteration.mean, 100);
  EXPECT_EQ(combined.target_iteration.deviation, 0);
  EXPECT_DOUBLE_EQ(combined.target_seconds.mean, 3);
  EXPECT_EQ(to_json(combined).at("target_seconds_mean"), combined.target_seconds.mean);
  EXPECT_TRUE(to_json(combine({}, RankAt::kBest)).at("target_seconds_mean").is_null());
}

RepeatedScores repeated(int ended_well, int met, double top1, double target_iteration = 0) {
  RepeatedScores scores;
  scores.repeats = 3;
  scores.ended_well = ended_well;
  scores.met_target = met;
  scores.top1.mean = top1;
  scores.target_iteration.mean = target_iteration;
  return scores;
}

TEST(RankRepeated, PutsPoliciesWithAFailedRepeatLast) {
  const std::vector scores = {repeated(0, 0, 0), repeated(2, 0, 0.99), repeated(3, 0, 0.5),
                              repeated(3, 0, 0.6)};
  EXPECT_EQ(rank_repeated(scores, RankBy::kTop1), (Order{3, 2, 1, 0}));
}

TEST(RankRepeated, CostAsksFirstHowManyRepeatsMetTheTarget) {
  const std::vector scores = {repeated(3, 2, 0.9, 10), repeated(3, 3, 0.9, 500),
                              repeated(3, 0, 0.7), repeated(3, 3, 0.9, 400), repeated(3, 0, 0.8)};
  EXPECT_EQ(rank_repeated(scores, RankBy::kCost), (Order{3, 1, 0, 4, 2}));
}

TEST(RankRepeated, SecondsAskFirstHowManyRepeatsMetTheTarget) {
  std::vector scores = {repeated(3, 2, 0.9, 10), repeated(3, 3, 0.9, 500), repeated(3, 0, 0.7),
                        repeated(3, 3, 0.9, 400), repeated(3, 0, 0.8)};
  scores[0].target_seconds.mean = 1;
  scores[1].target_seconds.mean = 5;
  scores[3].target_seconds.mean = 6;
  EXPECT_EQ(rank_repeated(scores, RankBy::kSeconds), (Order{1, 3, 0, 4, 2}));
}

TEST(RankRepeated, EqualsKeepTheirOrder) {
  const std::vector<RepeatedScores> scores(4, repeated(3, 1, 0.5, 7));
  for (RankBy by : kAllBy) EXPECT_EQ(rank_repeated(scores, by), (Order{0, 1, 2, 3}));
}

TEST(Tolerance, IsOverTheScalesThatEndedWell) {
  Scores good, better, diverged;
  good.ended_well = better.ended_well = good.measured = better.measured = diverged.measured = true;
  good.best.evaluated.top1 = 0.5;
  better.best.evaluated.top1 = 0.7;
  diverged.best.evaluated.top1 = 0.1;
  const Tolerance result = tolerance(std::vector<Scores>{good, diverged, better});
  EXPECT_EQ(result.scales, 3);
  EXPECT_EQ(result.ended_well, 2);
  ASSERT_TRUE(result.top1);
  EXPECT_NEAR(result.top1->mean, 0.6, 1e-12);
  EXPECT_NEAR(result.top1->deviation, std::sqrt(0.02), 1e-12);
  EXPECT_EQ(result.lowest_top1, 0.5);

  const Tolerance none = tolerance(std::vector<Scores>{diverged});
  EXPECT_EQ(none.ended_well, 0);
  EXPECT_TRUE(to_json(none).at("top1_mean").is_null());
  EXPECT_TRUE(to_json(none).at("top1_lowest").is_null());
}

TEST(ScoresJson, HasNullForWhatIsNotThere) {
  const auto empty = to_json(score({}, OutcomeKind::kDiverged, std::nullopt), RankAt::kBest);
  EXPECT_EQ(empty["ended_well"], false);
  for (const char* key : {"top1", "top1_iteration", "loss", "seconds", "target_iteration"}) {
    EXPECT_TRUE(empty[key].is_null()) << key;
  }
  const std::vector points = {point(5, 0.5, kNan)};
  EXPECT_TRUE(to_json(score(points, OutcomeKind::kDiverged, std::nullopt), RankAt::kBest)["loss"]
                  .is_null());
}

TEST(ScoresJson, FollowsBestOrFinal) {
  const std::vector points = {point(10, 0.95, 0.1), point(20, 0.5, 0.2)};
  const Scores scores = score(points, OutcomeKind::kCompleted, kTop1Target);
  const auto best = to_json(scores, RankAt::kBest);
  EXPECT_EQ(best["top1"], 0.95);
  EXPECT_EQ(best["top1_iteration"], 10);
  EXPECT_EQ(best["final_top1"], 0.5);
  EXPECT_EQ(best["target_iteration"], 10);
  const auto final = to_json(scores, RankAt::kFinal);
  EXPECT_EQ(final["top1"], 0.5);
  EXPECT_EQ(final["loss_iteration"], 20);
}

TEST(RepeatedScoresJson, IsFlatWithMeansAndDeviations) {
  const std::vector repeats = {well(0.5), well(0.7)};
  const auto json = to_json(combine(repeats, RankAt::kBest));
  EXPECT_EQ(json["repeats"], 2);
  EXPECT_DOUBLE_EQ(json["top1_mean"].get<double>(), 0.6);
  EXPECT_NEAR(json["top1_deviation"].get<double>(), std::sqrt(0.02), 1e-15);
  EXPECT_TRUE(json["target_iteration_mean"].is_null());
}

}  // namespace
}  // namespace lrtune

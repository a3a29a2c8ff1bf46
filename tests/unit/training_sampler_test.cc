#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "worker/training/draws.h"
#include "worker/training/sampler.h"

namespace lrtune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Numbers = std::vector<std::int64_t>;

Numbers sorted(Numbers numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Numbers counted(std::int64_t count) {
  Numbers numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

Numbers positions(SampleOrder& order, std::int64_t first, std::int64_t count) {
  Numbers out(static_cast<std::size_t>(count), -1);
  order.fill(first, out);
  return out;
}

TEST(DrawsTest, BoundedDrawsStayBelowTheBoundAndReachAllValues) {
  Draws draws("test", 1, 2);
  for (const std::uint64_t bound : {1u, 2u, 3u, 7u}) {
    std::vector<int> counts(bound);
    for (int i = 0; i < 7000; ++i) ++counts.at(draws.below(bound));
    for (const int count : counts)
      EXPECT_NEAR(count, 7000.0 / static_cast<double>(bound), 300) << bound;
  }
}

// Computed by an independent program from the definitions: SHA-256 key, mt19937_64, Fisher-Yates.
// The values must be the same on every machine, since they decide what a state's name stands for.
TEST(DrawsTest, PermutationHasNotChanged) {
  Draws draws("sample order", 7, 0);
  EXPECT_THAT(permutation(10, draws), ElementsAre(2, 0, 1, 5, 4, 9, 7, 8, 3, 6));
}

TEST(SampleOrderTest, EachEpochIsAPermutation) {
  for (const std::int64_t samples : {1, 2, 7, 100}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      SampleOrder order(seed, samples);
      for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
        EXPECT_EQ(sorted(positions(order, epoch * samples, samples)), counted(samples))
            << "samples " << samples << " seed " << seed << " epoch " << epoch;
      }
    }
  }
}

TEST(SampleOrderTest, BatchesAreFullAndCrossEpochs) {
  SampleOrder whole(3, 10);
  const Numbers sequence = positions(whole, 0, 60);
  SampleOrder batches(3, 10);
  for (std::int64_t batch = 0; batch < 15; ++batch) {
    const Numbers expected(sequence.begin() + batch * 4, sequence.begin() + batch * 4 + 4);
    EXPECT_EQ(positions(batches, batch * 4, 4), expected) << "batch " << batch;
  }
}

TEST(SampleOrderTest, ARunMayStartAnywhere) {
  SampleOrder order(3, 10);
  const Numbers sequence = positions(order, 0, 60);
  for (std::int64_t first = 50; first >= 0; first -= 7) {
    EXPECT_EQ(positions(order, first, 10),
              Numbers(sequence.begin() + first, sequence.begin() + first + 10));
  }
}

TEST(SampleOrderTest, SeedsAndEpochsDiffer) {
  SampleOrder one(1, 50);
  SampleOrder two(2, 50);
  EXPECT_NE(positions(one, 0, 50), positions(two, 0, 50));
  EXPECT_NE(positions(one, 0, 50), positions(one, 50, 50));
}

TEST(SampleOrderTest, ABatchMayHoldSeveralEpochs) {
  SampleOrder order(1, 3);
  const Numbers batch = positions(order, 0, 9);
  for (int epoch = 0; epoch < 3; ++epoch) {
    EXPECT_EQ(sorted({batch.begin() + 3 * epoch, batch.begin() + 3 * epoch + 3}), counted(3));
  }
}

TEST(SplitTest, PartsAreDisjointAndComplete) {
  for (const double share : {0.0, 0.01, 0.1, 0.5, 0.9}) {
    const auto split = split_training_data(200, share);
    ASSERT_TRUE(split) << split.error().message;
    EXPECT_EQ(std::ssize(split->validation), std::llround(200 * share));
    Numbers all = split->train;
    all.insert(all.end(), split->validation.begin(), split->validation.end());
    EXPECT_EQ(sorted(all), counted(200)) << "share " << share;
  }
}

TEST(SplitTest, ASmallerShareLiesWithinALargerOne) {
  const auto small = split_training_data(200, 0.1);
  const auto large = split_training_data(200, 0.2);
  ASSERT_TRUE(small && large);
  EXPECT_TRUE(std::includes(large->validation.begin(), large->validation.end(),
                            small->validation.begin(), small->validation.end()));
}

TEST(SplitTest, AnyShareAboveZeroHoldsOutASample) {
  const auto split = split_training_data(20, 1e-6);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->validation.size(), 1u);
}

TEST(SplitTest, AShareThatLeavesNothingIsRefused) {
  const auto split = split_training_data(10, 0.99);
  ASSERT_FALSE(split);
  EXPECT_THAT(split.error().message, HasSubstr("0.99"));
}

TEST(SplitTest, TheTrainSubsetIsHeldInTheTrainingPartAndNested) {
  const auto split = split_training_data(200, 0.25);
  ASSERT_TRUE(split);
  const Numbers small = train_subset(*split, 200, 20);
  const Numbers large = train_subset(*split, 200, 60);
  EXPECT_EQ(small.size(), 20u);
  EXPECT_TRUE(std::includes(large.begin(), large.end(), small.begin(), small.end()));
  EXPECT_TRUE(std::includes(split->train.begin(), split->train.end(), large.begin(), large.end()));
  EXPECT_EQ(train_subset(*split, 200, 1000), split->train);
}

}  // namespace
}  // namespace lrtune

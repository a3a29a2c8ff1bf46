// Batches made ahead: the same as those made when they are asked for, and their errors in time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "worker/training/batch_source.h"

namespace lrtune {
namespace {

using ::testing::ElementsAre;

// A batch holds its iteration; those of `broken_` cannot be made.
class CountedBatches final : public BatchSource {
 public:
  CountedBatches(std::vector<std::int64_t>& made, std::set<std::int64_t> broken)
      : made_(made), broken_(std::move(broken)) {}
  const Dataset& dataset() const override { return dataset_; }
  at::Device device() const override { return at::kCPU; }
  Result<Batch> training_batch(std::int64_t iteration) override {
    made_.push_back(iteration);
    if (broken_.contains(iteration)) return fail("broken " + std::to_string(iteration));
    return Batch{.inputs = at::full({1}, iteration), .labels = at::full({1}, iteration)};
  }
  Result<Batch> evaluation_batch(Part, std::span<const std::int64_t>, std::size_t first,
                                 std::size_t) override {
    return Batch{.inputs = at::full({1}, -static_cast<std::int64_t>(first))};
  }

 private:
  std::vector<std::int64_t>& made_;
  std::set<std::int64_t> broken_;
  Dataset dataset_;
};

class AheadBatchesTest : public ::testing::Test {
 protected:
  std::int64_t batch(std::int64_t iteration) {
    const auto made = ahead_->training_batch(iteration);
    return made ? made->inputs.item<std::int64_t>() : -1;
  }
  std::vector<std::int64_t> made_;
  std::unique_ptr<BatchSource> ahead_ =
      make_ahead_batches(std::make_unique<CountedBatches>(made_, std::set<std::int64_t>{7}));
};

TEST_F(AheadBatchesTest, EachIsMadeOnce) {
  for (std::int64_t t = 0; t < 4; ++t) {
    EXPECT_EQ(batch(t), t);
    if (t < 3) ahead_->prepare(t + 1);
    ahead_->prepare(t + 1 < 4 ? t + 1 : 3);
  }
  EXPECT_THAT(made_, ElementsAre(0, 1, 2, 3, 3)) << "the last was asked for after its step";
}

TEST_F(AheadBatchesTest, AnyOrderIsRight) {
  ahead_->prepare(1);
  EXPECT_EQ(batch(5), 5);
  EXPECT_EQ(batch(1), 1);
  EXPECT_EQ(batch(1), 1);
  ahead_->prepare(2);
  EXPECT_EQ(ahead_->evaluation_batch(Part::kTest, {}, 3, 1)->inputs.item<std::int64_t>(), -3);
  EXPECT_EQ(batch(2), 2);
  ahead_->prepare(3);
  ahead_->prepare(4);
  EXPECT_EQ(batch(4), 4);
  EXPECT_THAT(made_, ElementsAre(1, 5, 1, 2, 3, 4));
}

TEST_F(AheadBatchesTest, AnErrorIsToldWhenItsBatchIsAskedFor) {
  ahead_->prepare(7);
  EXPECT_EQ(batch(6), 6);
  const auto broken = ahead_->training_batch(7);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message, "broken 7");
}

}  // namespace
}  // namespace lrtune

// Checkpoints as files: whole or refused, within the budget, never removed while held; and which of
// them a run goes on from.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/random.h"
#include "common/state_name.h"
#include "tests/support/temporary_folder.h"
#include "worker/checkpoints/checkpoint_folder.h"
#include "worker/checkpoints/run_checkpoints.h"

namespace lrtune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr std::int64_t kRoomy = 1 << 30;
constexpr std::size_t kTensorBytes = 4000;

Digest state_of(int number) { return sha256(std::to_string(number)); }

MetricPoint point_at(std::int64_t iteration) {
  return {.iteration = iteration,
          .state = state_of(static_cast<int>(iteration)),
          .learning_rate = 0.1 + static_cast<double>(iteration) / 3,
          .train = {.loss = 1.0 / 3, .top1 = 0.7, .top5 = 0.9},
          .evaluated = {.loss = 5e-324, .top1 = 0.1 + 0.2, .top5 = 1},
          .train_seconds = 1e300,
          .evaluate_seconds = 2.5};
}

Checkpoint checkpoint_of(int number) {
  Checkpoint checkpoint{.state = state_of(number), .iteration = number};
  checkpoint.measured = {.part = Part::kTest, .train_subset = 50};
  checkpoint.history = {point_at(0), point_at(number)};
  checkpoint.train_seconds = 1.0 / 7;
  std::string bytes(kTensorBytes, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);
  checkpoint.tensors = {{"parameter/a", "float32", {10, 100}, bytes}, {"empty", "int64", {0}, ""}};
  return checkpoint;
}

TEST(CheckpointTest, ComesBackToTheLastBit) {
  const Checkpoint checkpoint = checkpoint_of(7);
  const auto read = decode_checkpoint(encode(checkpoint));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, checkpoint);
}

constexpr std::uint64_t kDamagedFiles = 10'000;  // of each kind

TEST(CheckpointTest, EveryCutAndEveryFlippedBitIsNoticed) {
  const std::string file = encode(checkpoint_of(7));
  for (std::uint64_t i = 0; i < kDamagedFiles; ++i) {
    const std::uint64_t length = random_bits("cut", 1, i) % file.size();
    ASSERT_FALSE(decode_checkpoint(std::string_view(file).substr(0, length))) << length;
  }
  for (std::uint64_t i = 0; i < kDamagedFiles; ++i) {
    std::string damaged = file;
    const std::uint64_t bit = random_bits("flip", 1, i) % (8 * file.size());
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    ASSERT_FALSE(decode_checkpoint(damaged)) << "bit " << bit;
  }
  EXPECT_FALSE(decode_checkpoint(file + "x"));
}

class CheckpointFolderTest : public ::testing::Test {
 protected:
  std::unique_ptr<CheckpointFolder> open(std::int64_t budget = kRoomy) {
    return std::move(CheckpointFolder::open(path_, budget).value());
  }
  std::filesystem::path file_of(int number) const {
    return path_ / (state_of(number).hex() + ".checkpoint");
  }
  // As if it had been used so many seconds after the first.
  void used_at(int number, int second) const {
    const timespec times[2] = {{1'000'000 + second, 0}, {1'000'000 + second, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file_of(number).c_str(), times, 0), 0);
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "a b" / "checkpoints";
};

TEST_F(CheckpointFolderTest, WhatIsSavedIsFoundAlsoByAnotherProcessOrLater) {
  ASSERT_TRUE(open()->save(checkpoint_of(1)));
  const auto folder = open();
  EXPECT_THAT(folder->states(), UnorderedElementsAre(state_of(1)));
  const auto held = folder->load(state_of(1));
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(held->checkpoint, checkpoint_of(1));
  EXPECT_THAT(folder->load(state_of(2)).error().message, HasSubstr("No such file"));
}

TEST_F(CheckpointFolderTest, ADamagedOneIsRemovedWithAReason) {
  const auto folder = open();
  ASSERT_TRUE(folder->save(checkpoint_of(1)));
  std::filesystem::resize_file(file_of(1), 300);
  EXPECT_THAT(folder->load(state_of(1)).error().message, HasSubstr("SHA-256"));
  EXPECT_THAT(folder->states(), IsEmpty());
  ASSERT_TRUE(folder->save(checkpoint_of(2)));
  std::filesystem::rename(file_of(2), file_of(3));
  EXPECT_THAT(folder->load(state_of(3)).error().message, HasSubstr("another state"));
  EXPECT_THAT(folder->states(), IsEmpty());
}

TEST_F(CheckpointFolderTest, TheLongestUnusedMakesRoom) {
  const auto size = static_cast<std::int64_t>(encode(checkpoint_of(1)).size());
  const auto folder = open(3 * size + size / 2);
  for (int number = 1; number <= 3; ++number) {
    ASSERT_TRUE(folder->save(checkpoint_of(number)));
    used_at(number, number);
  }
  ASSERT_TRUE(folder->load(state_of(1)));  // used now
  ASSERT_TRUE(folder->save(checkpoint_of(4)));
  EXPECT_THAT(folder->states(), UnorderedElementsAre(state_of(1), state_of(3), state_of(4)));
}

TEST_F(CheckpointFolderTest, WhatIsHeldStaysAndTheNewOneIsRefused) {
  const auto size = static_cast<std::int64_t>(encode(checkpoint_of(1)).size());
  const auto folder = open(2 * size + size / 2);
  const auto other_process = open(2 * size + size / 2);
  const auto first = folder->save(checkpoint_of(1));
  const auto second = folder->save(checkpoint_of(2));
  ASSERT_TRUE(first && second);
  const auto third = other_process->save(checkpoint_of(3));
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error().message, HasSubstr("in use"));
  other_process->remove(state_of(1));
  EXPECT_THAT(folder->states(), UnorderedElementsAre(state_of(1), state_of(2)));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    if (entry.path().filename() != "lock") ++files;
  }
  EXPECT_EQ(files, 2u) << "the refused one left something behind";
}

TEST_F(CheckpointFolderTest, WhatADeadProcessLeftUnfinishedIsRemoved) {
  const auto folder = open();
  std::ofstream(path_ / (state_of(9).hex() + ".123.0.unfinished")) << "half";
  EXPECT_THAT(folder->states(), IsEmpty());
  ASSERT_TRUE(folder->save(checkpoint_of(1)));
  EXPECT_FALSE(std::filesystem::exists(path_ / (state_of(9).hex() + ".123.0.unfinished")));
}

TEST_F(CheckpointFolderTest, AFileInThePlaceOfTheFolderIsAnErrorThatNamesIt) {
  std::filesystem::create_directories(path_.parent_path());
  std::ofstream(path_) << "x";
  const auto folder = CheckpointFolder::open(path_, kRoomy);
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr(path_.string()));
}

// A run of `iterations` steps with a fixed rate, evaluated every 10.
class RunCheckpointsTest : public CheckpointFolderTest {
 protected:
  static Policy fixed(double rate) {
    Policy policy;
    policy.segments.push_back({.function = {.kind = LrFunctionKind::kFix, .k0 = rate}});
    return policy;
  }
  static RunPlan plan_of(std::int64_t iterations) {
    return {.iterations = iterations, .evaluate_every = 10, .train_subset = 50};
  }
  // What a run with `plan` keeps after `iteration` steps of a policy.
  Checkpoint kept_at(std::int64_t iteration, const Policy& policy, const RunPlan& plan) const {
    Checkpoint checkpoint = checkpoint_of(1);
    checkpoint.state = state_after(start_, policy, 0, iteration);
    checkpoint.iteration = iteration;
    checkpoint.measured = {.part = plan.evaluate_on, .train_subset = plan.train_subset};
    checkpoint.history.clear();
    for (std::int64_t t = 0; t <= iteration; ++t) {
      if (evaluates(plan, t)) checkpoint.history.push_back(point_at(t));
    }
    return checkpoint;
  }
  std::vector<std::int64_t> points_of(const Checkpoint& checkpoint) const {
    std::vector<std::int64_t> iterations;
    for (const MetricPoint& point : checkpoint.history) iterations.push_back(point.iteration);
    return iterations;
  }
  std::optional<Checkpoint> prefix(const Policy& policy, const RunPlan& plan) {
    return RunCheckpoints(options_, {.start = start_}, policy, plan).longest_prefix(stop_);
  }

  const Digest start_ = sha256("start");
  std::unique_ptr<CheckpointFolder> opened_ = open();
  std::vector<std::string> log_;
  const std::atomic<bool> stop_ = false;
  CheckpointOptions options_{.folder = opened_.get(),
                             .log = [this](const std::string& text) { log_.push_back(text); }};
};

TEST_F(RunCheckpointsTest, TheLongestPrefixOfTheSameRatesIsTaken) {
  const Policy policy = fixed(0.1);
  for (const int iteration : {20, 45, 70})
    ASSERT_TRUE(opened_->save(kept_at(iteration, policy, plan_of(100))));
  EXPECT_EQ(prefix(policy, plan_of(100))->iteration, 70);
  EXPECT_EQ(prefix(policy, plan_of(60))->iteration, 45) << "not beyond the end";
  EXPECT_FALSE(prefix(fixed(0.2), plan_of(100)));

  Policy composite = fixed(0.1);  // other rates from 50 on
  composite.segments[0].until = 50;
  composite.segments.push_back(fixed(0.01).segments[0]);
  EXPECT_EQ(prefix(composite, plan_of(100))->iteration, 45);
  EXPECT_THAT(log_, SizeIs(3));
  EXPECT_THAT(log_[0], HasSubstr("iteration 70 of 100"));
}

TEST_F(RunCheckpointsTest, ALongerBudgetGoesOnFromTheEndOfAShorterOne) {
  const Policy policy = fixed(0.1);
  ASSERT_TRUE(opened_->save(kept_at(45, policy, plan_of(45))));
  const auto found = prefix(policy, plan_of(100));
  ASSERT_TRUE(found);
  EXPECT_THAT(points_of(*found), ElementsAre(0, 10, 20, 30, 40)) << "45 was the end of the other";
  EXPECT_EQ(found->history[1].learning_rate, 0.1) << "the rate of this policy";
  EXPECT_THAT(points_of(*prefix(policy, plan_of(45))), ElementsAre(0, 10, 20, 30, 40, 45));
}

// It may go on from a run that was computed otherwise, and calls what it takes over by its own
// names.
TEST_F(RunCheckpointsTest, AnInexactRunTakesOverTheLongestOfSeveralRuns) {
  const Policy policy = fixed(0.1);
  const RunPlan plan = plan_of(100);
  const Digest other = sha256("other start");
  Checkpoint longer = kept_at(60, policy, plan);
  longer.state = state_after(other, policy, 0, 60);
  longer.computed = {{.from = 0, .with = "the old ones"}};
  ASSERT_TRUE(opened_->save(longer));
  ASSERT_TRUE(opened_->save(kept_at(45, policy, plan)));
  EXPECT_EQ(prefix(policy, plan)->iteration, 45);

  const RunNames names{.start = start_, .others = {other}, .computes_with = "the new ones"};
  RunCheckpoints run(options_, names, policy, plan);
  const auto found = run.longest_prefix(stop_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->iteration, 60);
  EXPECT_EQ(found->state, state_after(start_, policy, 0, 60));
  EXPECT_THAT(points_of(*found), ElementsAre(0, 10, 20, 30, 40, 50, 60));
  for (const MetricPoint& point : found->history)
    EXPECT_EQ(point.state, state_after(start_, policy, 0, point.iteration));
  EXPECT_EQ(run.remarks(),
            "not computed with the same numerics all along: from iteration 0 the old ones, from "
            "iteration 60 the new ones");

  Checkpoint next = kept_at(70, policy, plan);
  run.save(next);
  const auto saved = opened_->load(next.state);
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->checkpoint.computed,
            (std::vector<ComputedPart>{{0, "the old ones"}, {60, "the new ones"}}));
}

TEST_F(RunCheckpointsTest, PointsOfAnotherKindOrMissingOnesAreNotTaken) {
  const Policy policy = fixed(0.1);
  ASSERT_TRUE(opened_->save(kept_at(30, policy, plan_of(100))));
  RunPlan other_part = plan_of(100), other_subset = plan_of(100), finer = plan_of(100);
  other_part.evaluate_on = Part::kTest;
  other_subset.train_subset = 51;
  finer.evaluate_every = 5;
  for (const RunPlan& plan : {other_part, other_subset, finer})
    EXPECT_FALSE(prefix(policy, plan)) << to_json(plan).dump();
  RunPlan coarser = plan_of(100);
  coarser.evaluate_every = 20;
  EXPECT_THAT(points_of(*prefix(policy, coarser)), ElementsAre(0, 20));
}

TEST_F(RunCheckpointsTest, ADamagedOneCostsOnlyTheWayFromTheOneBefore) {
  const Policy policy = fixed(0.1);
  const RunPlan plan = plan_of(100);
  {
    RunCheckpoints run(options_, {.start = start_}, policy, plan);
    for (const int iteration : {20, 40, 60}) run.save(kept_at(iteration, policy, plan));
  }
  EXPECT_THAT(opened_->states(), SizeIs(2)) << "the last and the one before";
  std::filesystem::resize_file(path_ / (state_after(start_, policy, 0, 60).hex() + ".checkpoint"),
                               1000);
  EXPECT_EQ(prefix(policy, plan)->iteration, 40);
  EXPECT_THAT(log_, SizeIs(2));
  EXPECT_THAT(log_[0], HasSubstr("SHA-256"));
}

TEST_F(RunCheckpointsTest, AFullFolderIsLoggedOnceAndStopsNothing) {
  const auto small = open(1000);
  options_.folder = small.get();
  const Policy policy = fixed(0.1);
  const RunPlan plan = plan_of(100);
  RunCheckpoints run(options_, {.start = start_}, policy, plan);
  run.save(kept_at(20, policy, plan));
  run.save(kept_at(40, policy, plan));
  EXPECT_EQ(run.saved_iteration(), 0);
  EXPECT_THAT(log_, ElementsAre(HasSubstr("does not fit")));
}

}  // namespace
}  // namespace lrtune

// Training on a folder of JPEGs, from the files to the outcome.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/jpeg_files.h"
#include "tests/support/recorded_run.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/libtorch_trainer.h"

namespace lrtune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr RunPlan kPlan{.iterations = 30, .evaluate_every = 10, .train_subset = 15};

class FolderTrainerTest : public ::testing::Test {
 protected:
  FolderTrainerTest() {
    setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1);
    write_jpeg_folder(data_);
  }
  TrainSpec spec() const {
    return {.dataset = {.name = "imagefolder", .path = data_},
            .validation = 0.2,
            .model = {.name = "mlp", .hidden = 20},
            .input = {.normalise = Normalise::kChannels,
                      .mean = {0.4, 0.4, 0.4},
                      .deviation = {0.3, 0.3, 0.3},
                      .augment = {.area = 0.3, .flip = true},
                      .size = 8,
                      .resize = 9},
            .optimizer = {.name = "momentum", .momentum = 0.9},
            .batch = 8};
  }
  RecordedRun run(const TrainSpec& spec, const LibtorchOptions& options = {.threads = 1},
                  std::int64_t stop_after = -1) const {
    const auto trainer = std::move(make_libtorch_trainer(options).value());
    return record_run(*trainer,
                      job_for(*trainer, spec, {.kind = LrFunctionKind::kFix, .k0 = 0.01}, kPlan),
                      stop_after);
  }
  void spoil(const std::string& file) const {
    const Bytes jpeg = read_bytes(data_ / file);
    write_bytes(data_ / file, without_end(jpeg, jpeg.size() / 2));
  }

  TemporaryFolder folder_;
  std::filesystem::path data_ = folder_.path() / "images";
};

void expect_same(const RecordedRun& one, const RecordedRun& other) {
  EXPECT_EQ(one.outcome, other.outcome);
  ASSERT_EQ(one.points.size(), other.points.size());
  for (std::size_t i = 0; i < one.points.size(); ++i) {
    EXPECT_EQ(one.points[i].train, other.points[i].train) << "point " << i;  // to the last bit
    EXPECT_EQ(one.points[i].evaluated, other.points[i].evaluated) << "point " << i;
  }
}

TEST_F(FolderTrainerTest, LearnsColours) {
  const RecordedRun learned = run(spec());
  ASSERT_EQ(learned.outcome.kind, OutcomeKind::kCompleted) << learned.outcome.message;
  EXPECT_THAT(learned.outcome.message, IsEmpty());
  ASSERT_EQ(learned.points.size(), 4u);
  EXPECT_GT(learned.points.back().evaluated.top1, 0.8);
  EXPECT_LT(learned.points.back().train.loss, 0.5 * learned.points.front().train.loss);
}

TEST_F(FolderTrainerTest, ThreadsThatDecodeDecideNothing) {
  spoil("train/red/05.jpg");
  TrainSpec resnet = spec();
  resnet.model = {.name = "resnet18"};
  resnet.input.size = 32;
  resnet.input.resize = 36;
  LibtorchOptions three{.threads = 1};
  three.decoding.threads = 3;
  expect_same(run(spec()), run(spec(), three));
  const RecordedRun large = run(resnet, three);
  EXPECT_EQ(large.outcome.kind, OutcomeKind::kCompleted) << large.outcome.message;
}

TEST_F(FolderTrainerTest, GoesOnAfterAnInterruptionWithTheSameBits) {
  spoil("train/red/05.jpg");
  spoil("train/blue/02.jpg");
  const RecordedRun whole = run(spec());
  ASSERT_EQ(whole.points.size(), 4u);
  for (const std::int64_t cut : {1, 10, 17}) {
    SCOPED_TRACE(cut);
    const auto checkpoints =
        CheckpointFolder::open(folder_.path() / ("checkpoints" + std::to_string(cut)), 1 << 30);
    ASSERT_TRUE(checkpoints) << checkpoints.error().message;
    LibtorchOptions keeping{.threads = 1};
    keeping.checkpoints.folder = checkpoints->get();
    const RecordedRun first = run(spec(), keeping, cut);
    EXPECT_EQ(first.outcome.kind, OutcomeKind::kStopped);
    const RecordedRun second = run(spec(), keeping);
    EXPECT_EQ(second.progress.front(), cut);
    EXPECT_EQ(second.outcome.state, whole.outcome.state);
    ASSERT_EQ(second.points.size(), 4u);
    EXPECT_EQ(second.points.back().train, whole.points.back().train);
    EXPECT_EQ(second.points.back().evaluated, whole.points.back().evaluated);
  }
}

TEST_F(FolderTrainerTest, SaysWhatItSkipped) {
  spoil("train/red/05.jpg");
  std::vector<std::string> logged;
  LibtorchOptions options{.threads = 1};
  options.decoding.log = [&](const std::string& text) { logged.push_back(text); };
  TrainSpec all = spec();
  all.validation = 0.01;  // one image
  const RecordedRun skipping = run(all, options);
  EXPECT_EQ(skipping.outcome.kind, OutcomeKind::kCompleted);
  const std::string path = (data_ / "train/red/05.jpg").string();
  EXPECT_EQ(skipping.outcome.message,
            "skipped 1 of 48 images that cannot be decoded, first " + path);
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_THAT(logged[0], HasSubstr(path));
}

TEST_F(FolderTrainerTest, StopsIfTheJobSaysSo) {
  spoil("train/red/05.jpg");
  TrainSpec strict = spec();
  strict.validation = 0.01;
  strict.input.corrupt = Corrupt::kStop;
  const RecordedRun stopped = run(strict);
  EXPECT_EQ(stopped.outcome.kind, OutcomeKind::kFailed);
  EXPECT_THAT(stopped.outcome.message,
              AllOf(HasSubstr((data_ / "train/red/05.jpg").string()), HasSubstr("Premature end")));
}

// The mean of no image is not a number, which was taken for divergence.
TEST_F(FolderTrainerTest, NothingToEvaluateIsAnError) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data_ / "val")) {
    if (entry.is_regular_file()) write_bytes(entry.path(), {1, 2, 3});
  }
  const auto trainer = std::move(make_libtorch_trainer({.threads = 1}).value());
  RunPlan plan = kPlan;
  plan.evaluate_on = Part::kTest;
  const RecordedRun failed = record_run(
      *trainer, job_for(*trainer, spec(), {.kind = LrFunctionKind::kFix, .k0 = 0.01}, plan));
  EXPECT_EQ(failed.outcome.kind, OutcomeKind::kFailed);
  EXPECT_THAT(failed.outcome.message, HasSubstr("none of the evaluated images can be decoded"));
}

}  // namespace
}  // namespace lrtune

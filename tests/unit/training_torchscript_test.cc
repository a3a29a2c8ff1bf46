// Networks that users bring: tests/fixtures/networks, made by the script there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "tests/support/image_files.h"
#include "tests/support/recorded_run.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/libtorch_trainer.h"
#include "worker/training/network_file.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

const fs::path kNetworks = LRTUNE_SOURCE_DIR "/tests/fixtures/networks";

class TorchscriptTest : public ::testing::Test {
 protected:
  TorchscriptTest() { write_image_files(data_, {.train = 200, .test = 60, .gzip = false}); }

  TrainSpec spec(const std::string& file = "network.pt") const {
    return {.dataset = {.name = "mnist", .path = data_},
            .validation = 0.2,
            .model = {.name = kTorchscript, .file = file},
            .optimizer = {.name = "momentum", .momentum = 0.9},
            .batch = 24};
  }

  std::string refusal(const TrainSpec& spec) {
    const auto facts = trainer_->survey(spec);
    return facts ? "it was taken" : facts.error().message;
  }

  static constexpr LrFunction kRate{.kind = LrFunctionKind::kFix, .k0 = 0.05};
  static constexpr RunPlan kPlan{.iterations = 60, .evaluate_every = 20, .train_subset = 50};
  TemporaryFolder folder_;
  fs::path data_ = folder_.path() / "data";
  std::unique_ptr<Trainer> trainer_ =
      std::move(make_libtorch_trainer({.threads = 2, .trusted = {kNetworks}}).value());
};

void expect_same_metrics(const RecordedRun& one, const RecordedRun& other) {
  EXPECT_EQ(one.outcome, other.outcome);
  ASSERT_EQ(one.points.size(), other.points.size());
  for (std::size_t i = 0; i < one.points.size(); ++i) {
    EXPECT_EQ(one.points[i].train, other.points[i].train) << "point " << i;  // to the last bit
    EXPECT_EQ(one.points[i].evaluated, other.points[i].evaluated) << "point " << i;
  }
}

TEST_F(TorchscriptTest, LearnsScriptedAndTraced) {
  for (const char* file : {"network.pt", "traced.pt"}) {
    const RecordedRun run = record_run(*trainer_, job_for(*trainer_, spec(file), kRate, kPlan));
    ASSERT_EQ(run.outcome.kind, OutcomeKind::kCompleted) << file << ": " << run.outcome.message;
    EXPECT_LT(run.points[3].evaluated.loss, 0.7 * run.points[0].evaluated.loss) << file;
    EXPECT_GT(run.points[3].evaluated.top1, 0.6) << file;
  }
}

TEST_F(TorchscriptTest, RepeatsItselfAndDependsOnTheSeed) {
  TrainingJob job = job_for(*trainer_, spec(), kRate, kPlan);
  const RecordedRun first = record_run(*trainer_, job);
  expect_same_metrics(first, record_run(*trainer_, job));
  job.seed = 6;
  const RecordedRun other = record_run(*trainer_, job);
  EXPECT_EQ(other.points.front().evaluated, first.points.front().evaluated)
      << "its first weights are the file's";
  EXPECT_NE(other.points.back().evaluated, first.points.back().evaluated);
}

// The network's dropout draws from LibTorch's default generator, the only code that does.
TEST_F(TorchscriptTest, TwoSlotsSideBySideGiveWhatEachGivesAlone) {
  const TrainingJob a = job_for(*trainer_, spec(), kRate, kPlan);
  TrainingJob b = a;
  b.seed = 11;
  const RecordedRun alone_a = record_run(*trainer_, a);
  const RecordedRun alone_b = record_run(*trainer_, b);
  RecordedRun beside_a;
  std::thread slot([&] { beside_a = record_run(*trainer_, a); });
  const RecordedRun beside_b = record_run(*trainer_, b);
  slot.join();
  expect_same_metrics(alone_a, beside_a);
  expect_same_metrics(alone_b, beside_b);
}

TEST_F(TorchscriptTest, ItsContentsAreTheIdentityNotItsPlace) {
  const fs::path other_place = folder_.path() / "other.pt";
  fs::copy(kNetworks / "network.pt", other_place);
  const auto there = std::move(make_libtorch_trainer({.trusted = {folder_.path()}}).value());
  const TrainingJob here = job_for(*trainer_, spec(), kRate, kPlan);
  const TrainingJob moved = job_for(*there, spec("other.pt"), kRate, kPlan);
  EXPECT_EQ(here.identity.data.network, moved.identity.data.network);
  EXPECT_EQ(here.identity.train.model.channels_last, false);
  TrainingIdentity same = moved.identity;
  same.numerics = here.identity.numerics;
  EXPECT_EQ(here.identity.hash(), same.hash());

  fs::copy(kNetworks / "traced.pt", other_place, fs::copy_options::overwrite_existing);
  const RecordedRun run = record_run(*there, moved);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kFailed);
  EXPECT_THAT(run.outcome.message, HasSubstr("other.pt here is not that of the job"));
}

TEST_F(TorchscriptTest, SaysWhyANetworkCannotBeTrained) {
  std::ofstream(folder_.path() / "text.pt") << "no network";
  const auto trainer =
      std::move(make_libtorch_trainer({.trusted = {folder_.path(), kNetworks}}).value());
  const auto refusal = [&](const char* file) {
    const auto facts = trainer->survey(spec(file));
    return facts ? "it was taken" : facts.error().message;
  };
  EXPECT_THAT(refusal("text.pt"), HasSubstr("text.pt is no TorchScript file, as torch.jit.script"));
  EXPECT_THAT(refusal("state_dict.pt"), HasSubstr("state_dict.pt is no TorchScript file"));
  EXPECT_THAT(refusal("seven_classes.pt"),
              HasSubstr("returns Float of 2x7 for 2 samples; the data need logits, float32 of "
                        "2x10 (samples x classes)"));
  EXPECT_THAT(refusal("two_outputs.pt"), HasSubstr("it returns a Tuple, not one tensor"));
  EXPECT_THAT(refusal("double.pt"), HasSubstr("parameter head.weight of the network " +
                                              (kNetworks / "double.pt").string() +
                                              " is Double; only float32 is trained"));
  EXPECT_THAT(refusal("counts.pt"), HasSubstr("keeps a state in its attribute count"));
  EXPECT_THAT(refusal("lists.pt"), HasSubstr("keeps a state in its attribute seen"));
  EXPECT_THAT(refusal("counts_always.pt"),
              HasSubstr("counts_always.pt changes its passes; only a training pass may"));
  EXPECT_THAT(refusal("frozen.pt"), HasSubstr("has no parameter that training would change"));
}

TEST_F(TorchscriptTest, SaysThatTheImagesDoNotFit) {
  const fs::path colours = folder_.path() / "colours";
  write_cifar10_files(colours, {.train = 200, .test = 60});
  TrainSpec other = spec();
  other.dataset = {.name = "cifar-10", .path = colours};
  EXPECT_THAT(refusal(other), HasSubstr("cannot be trained on images of 3x32x32"));
}

TEST_F(TorchscriptTest, TakesFilesFromTrustedFoldersAlone) {
  const auto trusting_none = std::move(make_libtorch_trainer({}).value());
  const auto none = trusting_none->survey(spec());
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("--trust-folder FOLDER"));

  const std::string untrusted = "is no file in a folder that this worker trusts (";
  const fs::path outside = folder_.path() / "outside.pt";
  fs::copy(kNetworks / "network.pt", outside);
  EXPECT_THAT(refusal(spec(outside)), HasSubstr(untrusted));
  EXPECT_THAT(refusal(spec("../networks/../parity/../README.md")), HasSubstr(untrusted));
  EXPECT_THAT(refusal(spec("missing.pt")), HasSubstr(untrusted));
  EXPECT_THAT(refusal(spec(".")), HasSubstr(untrusted));
  EXPECT_EQ(refusal(spec(kNetworks / "network.pt")), "it was taken");
}

// A trusted folder's link may lead anywhere; what it leads to is not in the folder.
TEST(NetworkFile, IsNotFoundThroughALinkThatLeavesTheFolder) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "trusted");
  fs::create_symlink(kNetworks / "network.pt", folder.path() / "trusted" / "link.pt");
  const std::vector<fs::path> trusted = {folder.path() / "trusted"};
  EXPECT_FALSE(read_network_file("link.pt", trusted));
  const std::vector<fs::path> both = {folder.path() / "trusted", kNetworks};
  const auto file = read_network_file((kNetworks / "network.pt").string(), both);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->digest, sha256(file->bytes));
  EXPECT_EQ(file->bytes.size(), fs::file_size(kNetworks / "network.pt"));
}

// bfloat16 computes other numbers than float32, and the same ones each time.
TEST_F(TorchscriptTest, LearnsInBfloat16) {
  TrainSpec half = spec();
  half.precision = Precision::kBfloat16;
  const TrainingJob job = job_for(*trainer_, half, kRate, kPlan);
  const RecordedRun run = record_run(*trainer_, job);
  ASSERT_EQ(run.outcome.kind, OutcomeKind::kCompleted) << run.outcome.message;
  EXPECT_GT(run.points[3].evaluated.top1, 0.6);
  expect_same_metrics(run, record_run(*trainer_, job));
  const RecordedRun full = record_run(*trainer_, job_for(*trainer_, spec(), kRate, kPlan));
  EXPECT_NE(run.points.front().evaluated.loss, full.points.front().evaluated.loss);
  EXPECT_NEAR(run.points.front().evaluated.loss, full.points.front().evaluated.loss, 0.05);
}

}  // namespace
}  // namespace lrtune

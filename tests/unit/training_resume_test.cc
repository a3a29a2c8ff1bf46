// A run that is interrupted and goes on from its checkpoint gives what the uninterrupted run gives,
// to the last bit: metric points, parameters, the optimizer's state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "common/random.h"
#include "common/state_name.h"
#include "tests/support/image_files.h"
#include "tests/support/recorded_run.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/libtorch_trainer.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kIterations = 24;
constexpr std::int64_t kRoomy = 1 << 30;

struct Trained {
  std::string name;
  ModelSpec model;
  OptimizerSpec optimizer;
  AugmentSpec augment;
  int runs = 10;  // that are cut four times each
  Precision precision = Precision::kFloat32;
};

void PrintTo(const Trained& trained, std::ostream* out) { *out << trained.name; }

std::vector<Trained> all_optimizers() {
  const ModelSpec lenet{.name = "lenet"};
  std::vector<Trained> all;
  for (const std::string& name : known_optimizers()) {
    nlohmann::json json = {{"name", name}, {"weight_decay", 5e-4}};
    if (name.ends_with("momentum") || name == "nesterov") json["momentum"] = 0.9;
    const OptimizerSpec spec = optimizer_from_json(json).value();
    all.push_back({name, lenet, spec, {}});
  }
  return all;
}

// What LeNet has not: running statistics, dropout, shifts and flips of the images.
std::vector<Trained> all_models() {
  const OptimizerSpec momentum{.name = "momentum", .momentum = 0.9, .weight_decay = 5e-4};
  const AugmentSpec moved{.pad = 4, .flip = true};
  return {{"mlp", {.name = "mlp", .hidden = 30, .dropout = 0.4}, momentum, moved},
          {"cnn3", {.name = "cnn3"}, momentum, moved, 3},
          {"resnet32", {.name = "resnet32"}, momentum, moved, 3},
          {"resnet18", {.name = "resnet18"}, momentum, moved, 1},
          {"torchscript", {.name = kTorchscript, .file = "network.pt"}, momentum, moved},
          {"bfloat16", {.name = "cnn3"}, momentum, moved, 2, Precision::kBfloat16}};
}

class ResumeTest : public ::testing::TestWithParam<Trained> {
 protected:
  ResumeTest() { write_image_files(data_, {.train = 100, .test = 40, .gzip = false}); }

  TrainingJob job() {
    const TrainSpec spec{.dataset = {.name = "mnist", .path = data_},
                         .validation = 0.2,
                         .model = GetParam().model,
                         .input = {.augment = GetParam().augment},
                         .optimizer = GetParam().optimizer,
                         .batch = 6,
                         .precision = GetParam().precision};
    RunPlan plan{.iterations = kIterations, .evaluate_every = 7, .train_subset = 30};
    // A rate that changes each iteration, so that a wrong position would show.
    return job_for(*make_trainer({}), spec,
                   {.kind = LrFunctionKind::kExp, .k0 = 0.002, .gamma = 0.97}, plan);
  }

  std::unique_ptr<Trainer> make_trainer(const CheckpointOptions& checkpoints,
                                        bool record_steps = false, bool always_ahead = false) {
    return std::move(
        make_libtorch_trainer({.threads = 1,
                               .checkpoints = checkpoints,
                               .trusted = {LRTUNE_SOURCE_DIR "/tests/fixtures/networks"},
                               .record_steps = record_steps,
                               .always_ahead = always_ahead})
            .value());
  }

  std::unique_ptr<CheckpointFolder> open(const std::string& name) {
    return std::move(CheckpointFolder::open(folder_.path() / name, kRoomy).value());
  }

  // What the run keeps at its end.
  Checkpoint last_of(CheckpointFolder& folder, const TrainingJob& job) {
    const Digest start = initial_state(job.identity.hash(), job.seed);
    return folder.load(state_after(start, job.policy, 0, kIterations)).value().checkpoint;
  }

  TemporaryFolder folder_;
  std::filesystem::path data_ = folder_.path() / "data";
};

void expect_same_points(const RecordedRun& one, const RecordedRun& other) {
  EXPECT_EQ(one.outcome, other.outcome);
  ASSERT_EQ(one.points.size(), other.points.size());
  for (std::size_t i = 0; i < one.points.size(); ++i) {
    EXPECT_EQ(one.points[i].iteration, other.points[i].iteration);
    EXPECT_EQ(one.points[i].state, other.points[i].state);
    EXPECT_EQ(one.points[i].learning_rate, other.points[i].learning_rate);
    EXPECT_EQ(one.points[i].train, other.points[i].train) << "point " << i;
    EXPECT_EQ(one.points[i].evaluated, other.points[i].evaluated) << "point " << i;
  }
}

TEST_P(ResumeTest, CutAnywhereItEndsTheSame) {
  const TrainingJob job = this->job();
  const auto whole_folder = open("whole");
  const RecordedRun whole = record_run(*make_trainer({.folder = whole_folder.get()}), job);
  ASSERT_EQ(whole.outcome.kind, OutcomeKind::kCompleted) << whole.outcome.message;
  const Checkpoint end = last_of(*whole_folder, job);

  constexpr std::uint64_t kCutsPerRun = 4;
  for (std::uint64_t run = 0; run < static_cast<std::uint64_t>(GetParam().runs); ++run) {
    SCOPED_TRACE("seed " + std::to_string(run));
    std::vector<std::int64_t> cuts;
    for (std::uint64_t i = 0; i < kCutsPerRun; ++i)
      cuts.push_back(static_cast<std::int64_t>(random_bits("cut", run, i) % kIterations));
    std::sort(cuts.begin(), cuts.end());
    const auto folder = open("cut" + std::to_string(run));
    const auto trainer = make_trainer({.folder = folder.get()});
    std::int64_t trained = 0;
    for (const std::int64_t cut : cuts) {
      const RecordedRun piece = record_run(*trainer, job, cut);
      ASSERT_EQ(piece.outcome.kind, OutcomeKind::kStopped) << piece.outcome.message;
      ASSERT_EQ(piece.outcome.iteration, std::max(cut, trained)) << "trained again";
      trained = piece.outcome.iteration;
    }
    const RecordedRun rest = record_run(*trainer, job);
    expect_same_points(whole, rest);
    EXPECT_EQ(std::ssize(rest.progress), kIterations - trained + (trained > 0 ? 1 : 0));
    EXPECT_EQ(last_of(*folder, job).tensors, end.tensors);
  }
}

INSTANTIATE_TEST_SUITE_P(Optimizers, ResumeTest, ::testing::ValuesIn(all_optimizers()),
                         [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(Models, ResumeTest, ::testing::ValuesIn(all_models()),
                         [](const auto& tested) { return tested.param.name; });

// Steps that are recorded and repeated are the same steps; a recorded run may be interrupted too.
TEST_P(ResumeTest, RecordedStepsGiveTheSame) {
  const TrainingJob job = this->job();
  const auto plain_folder = open("plain");
  const RecordedRun plain = record_run(*make_trainer({.folder = plain_folder.get()}), job);
  ASSERT_EQ(plain.outcome.kind, OutcomeKind::kCompleted) << plain.outcome.message;
  const auto folder = open("recorded");
  const auto trainer = make_trainer({.folder = folder.get()}, /*record_steps=*/true);
  ASSERT_EQ(record_run(*trainer, job, 11).outcome.iteration, 11);
  expect_same_points(plain, record_run(*trainer, job));
  EXPECT_EQ(last_of(*folder, job).tensors, last_of(*plain_folder, job).tensors);
}

// What a GPU's worker does by itself: the batch of the next step is made during this one.
TEST_P(ResumeTest, BatchesMadeAheadGiveTheSame) {
  const TrainingJob job = this->job();
  const auto plain_folder = open("plain");
  const RecordedRun plain = record_run(*make_trainer({.folder = plain_folder.get()}), job);
  const auto folder = open("ahead");
  const auto trainer = make_trainer({.folder = folder.get()}, true, /*always_ahead=*/true);
  ASSERT_EQ(record_run(*trainer, job, 9).outcome.iteration, 9);
  expect_same_points(plain, record_run(*trainer, job));
  EXPECT_EQ(last_of(*folder, job).tensors, last_of(*plain_folder, job).tensors);
}

class ResumeOneTest : public ResumeTest {};

// kill -9 at any moment leaves what was saved last, or a damaged file of it.
TEST_P(ResumeOneTest, ATornNewestCheckpointCostsTheWayFromTheOneBefore) {
  const TrainingJob job = this->job();
  const RecordedRun whole = record_run(*make_trainer({}), job);
  const auto folder = open("torn");
  std::vector<std::string> log;
  const CheckpointOptions options{.folder = folder.get(),
                                  .every = std::chrono::milliseconds(0),  // at each iteration
                                  .log = [&log](const std::string& text) { log.push_back(text); }};
  const RecordedRun cut = record_run(*make_trainer(options), job, 15);
  ASSERT_EQ(cut.outcome.iteration, 15);
  std::filesystem::resize_file(folder->path() / (cut.outcome.state.hex() + ".checkpoint"), 9999);
  const RecordedRun rest = record_run(*make_trainer(options), job);
  expect_same_points(whole, rest);
  ASSERT_FALSE(rest.progress.empty());
  EXPECT_EQ(rest.progress.front(), 14);
  ASSERT_GE(log.size(), 2u);
  EXPECT_THAT(log[0], HasSubstr("SHA-256"));
  EXPECT_THAT(log[1], HasSubstr("iteration 14 of 24"));
}

TEST_P(ResumeOneTest, ALongerBudgetTrainsOnlyWhatIsNew) {
  TrainingJob job = this->job();
  const RecordedRun whole = record_run(*make_trainer({}), job);
  const auto folder = open("longer");
  const auto trainer = make_trainer({.folder = folder.get()});
  job.plan.iterations = 10;
  ASSERT_EQ(record_run(*trainer, job).outcome.kind, OutcomeKind::kCompleted);
  job.plan.iterations = kIterations;
  const RecordedRun longer = record_run(*trainer, job);
  expect_same_points(whole, longer);
  EXPECT_EQ(longer.progress.front(), 10);
}

// Two threads sum in another order than one, so the bits may differ: an exact run starts again, an
// inexact one goes on, under another name, and says so.
TEST_P(ResumeOneTest, OnOtherNumericsOnlyAnInexactRunGoesOn) {
  const auto folder = open("numerics");
  const CheckpointOptions options{.folder = folder.get()};
  const TrainingJob exact = this->job();
  ASSERT_EQ(record_run(*make_trainer(options), exact, 15).outcome.iteration, 15);

  const auto two_threads = [&] {
    return make_libtorch_trainer({.threads = 2, .checkpoints = options}).value();
  };
  TrainingJob job = exact;
  job.identity.train.threads = job.identity.numerics.threads = 2;
  const RecordedRun again = record_run(*two_threads(), job, 3);
  EXPECT_EQ(again.progress.front(), 1) << "it has nothing to go on from";

  job.identity.train.inexact = true;
  const RecordedRun rest = record_run(*two_threads(), job);
  ASSERT_EQ(rest.outcome.kind, OutcomeKind::kCompleted) << rest.outcome.message;
  EXPECT_EQ(rest.progress.front(), 15);
  EXPECT_THAT(rest.outcome.message, HasSubstr("with 1 thread per slot, from iteration 15"));
  EXPECT_EQ(rest.outcome.state,
            state_after(initial_state(job.identity.hash(), job.seed), job.policy, 0, kIterations));

  const RecordedRun exact_again = record_run(*make_trainer(options), exact);
  EXPECT_EQ(exact_again.progress.front(), 15) << "it does not go on from what is inexact";
}

// ---- reactive policies and M-opt

// Changes at each observation that the cooldown allows: whatever it sees is a plateau.
TrainingJob reactive(TrainingJob job) {
  job.policy = {.plateau = Plateau{
                    .functions = {{.kind = LrFunctionKind::kExp, .k0 = 0.004, .gamma = 0.97},
                                  {.kind = LrFunctionKind::kTri2, .k0 = 0, .k1 = 0.003, .l = 5},
                                  {.kind = LrFunctionKind::kFix, .k0 = 0.001}},
                    .start = 1,
                    .every = 2,
                    .metric = PlateauMetric::kLoss,
                    .window = 2,
                    .threshold = 1e6,
                    .cooldown = 1,
                    .length = 16}};
  job.plan.evaluate_every = 2;
  job.plan.m_opt_every = 4;
  return job;
}

void expect_same_series(const RecordedRun& one, const RecordedRun& other) {
  ASSERT_EQ(one.points.size(), other.points.size());
  for (std::size_t i = 0; i < one.points.size(); ++i)
    EXPECT_EQ(one.points[i].m_opt, other.points[i].m_opt) << "point " << i;
}

TEST_P(ResumeOneTest, AReactiveRunCutAnywhereEndsTheSame) {
  const TrainingJob job = reactive(this->job());
  const RecordedRun whole = record_run(*make_trainer({}), job);
  ASSERT_EQ(whole.outcome.kind, OutcomeKind::kCompleted) << whole.outcome.message;
  ASSERT_TRUE(whole.outcome.realised);
  ASSERT_GE(whole.outcome.realised->segments.size(), 4U);
  EXPECT_EQ(whole.outcome.state, state_after(initial_state(job.identity.hash(), job.seed),
                                             *whole.outcome.realised, 0, kIterations));
  for (std::int64_t cut = 0; cut < kIterations; ++cut) {
    SCOPED_TRACE("cut at " + std::to_string(cut));
    const auto folder = open("reactive" + std::to_string(cut));
    const auto trainer = make_trainer({.folder = folder.get()});
    const RecordedRun piece = record_run(*trainer, job, cut);
    ASSERT_EQ(piece.outcome.kind, OutcomeKind::kStopped) << piece.outcome.message;
    // Between the two steps of M-opt it makes the second.
    ASSERT_EQ(piece.outcome.iteration, cut % 4 == 1 ? cut + 1 : cut);
    const RecordedRun rest = record_run(*trainer, job);
    expect_same_points(whole, rest);
    expect_same_series(whole, rest);
    if (cut > 0) {
      EXPECT_EQ(rest.progress.front(), piece.outcome.iteration) << "trained again";
    }
  }
}

TEST_P(ResumeOneTest, TheRealisedScheduleRunsAgainBitForBit) {
  TrainingJob job = reactive(this->job());
  const RecordedRun run = record_run(*make_trainer({}), job);
  ASSERT_TRUE(run.outcome.realised);
  job.policy = *run.outcome.realised;
  RecordedRun again = record_run(*make_trainer({}), job);
  EXPECT_FALSE(again.outcome.realised);
  again.outcome.realised = run.outcome.realised;
  expect_same_points(run, again);
  expect_same_series(run, again);
}

TEST_P(ResumeOneTest, AReactiveRunOfAnotherMetricTakesNothingOver) {
  TrainingJob job = reactive(this->job());
  const auto folder = open("other");
  const auto trainer = make_trainer({.folder = folder.get()});
  ASSERT_EQ(record_run(*trainer, job, 10).outcome.iteration, 10);
  TrainingJob other = job;
  other.policy.plateau->metric = PlateauMetric::kTrainLoss;
  EXPECT_EQ(record_run(*trainer, other, 2).progress.front(), 1);
  other = job;
  other.plan.train_subset = 20;
  EXPECT_EQ(record_run(*trainer, other, 2).progress.front(), 1);
  EXPECT_EQ(record_run(*trainer, job).progress.front(), 10);
}

TEST_P(ResumeOneTest, MoptChangesNoBitOfTheTraining) {
  TrainingJob job = this->job();
  const auto plain_folder = open("plain");
  const RecordedRun plain = record_run(*make_trainer({.folder = plain_folder.get()}), job);
  job.plan.m_opt_every = 3;
  const auto folder = open("measured");
  const RecordedRun measured = record_run(*make_trainer({.folder = folder.get()}), job);
  expect_same_points(plain, measured);
  EXPECT_EQ(last_of(*folder, job).tensors, last_of(*plain_folder, job).tensors);
  std::vector<std::int64_t> iterations;
  for (const MetricPoint& point : measured.points) {
    for (const MoptValue& value : point.m_opt) {
      iterations.push_back(value.iteration);
      EXPECT_EQ(value.learning_rate, learning_rate(job.policy, value.iteration));
      ASSERT_TRUE(value.m_opt);
      EXPECT_GT(*value.m_opt, 0);
    }
  }
  EXPECT_EQ(iterations, (std::vector<std::int64_t>{1, 4, 7, 10, 13, 16, 19, 22}));
}

// What a run without M-opt kept lacks the values.
TEST_P(ResumeOneTest, MoptIsNeverMissingAfterACut) {
  TrainingJob job = this->job();
  const auto folder = open("m-opt");
  const auto trainer = make_trainer({.folder = folder.get()});
  ASSERT_EQ(record_run(*trainer, job, 9).outcome.iteration, 9);
  job.plan.m_opt_every = 3;
  const RecordedRun whole = record_run(*make_trainer({}), job);
  const RecordedRun run = record_run(*trainer, job, 12);
  EXPECT_EQ(run.progress.front(), 1);
  job.plan.m_opt_every = 0;
  EXPECT_EQ(record_run(*trainer, job, 14).progress.front(), 12) << "values too many do no harm";
  job.plan.m_opt_every = 3;
  expect_same_series(whole, record_run(*trainer, job));
}

// The target lies on the way that is kept already: nothing is trained.
TEST_P(ResumeOneTest, ATargetThatWasReachedEndsTheRunThere) {
  TrainingJob job = this->job();
  const auto folder = open("target");
  const auto trainer = make_trainer({.folder = folder.get()});
  const RecordedRun whole = record_run(*trainer, job);
  job.plan.target = Target{Measure::kLoss, whole.points[1].evaluated.loss};
  job.plan.stop_at_target = true;
  const RecordedRun again = record_run(*trainer, job);
  EXPECT_EQ(again.outcome.kind, OutcomeKind::kTargetReached);
  EXPECT_EQ(again.outcome.state, again.points.back().state);
  EXPECT_EQ(again.outcome.iteration, again.points.back().iteration);
  EXPECT_TRUE(again.progress.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Momentum, ResumeOneTest,
    ::testing::Values(Trained{
        "momentum", {.name = "lenet"}, {.name = "momentum", .momentum = 0.9}, {}}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace lrtune

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "common/state_name.h"
#include "tests/support/image_files.h"
#include "tests/support/recorded_run.h"
#include "tests/support/temporary_folder.h"
#include "worker/training/libtorch_trainer.h"

namespace lrtune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

LrFunction fixed(double rate) { return {.kind = LrFunctionKind::kFix, .k0 = rate}; }

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() { write_image_files(data_, {.train = 200, .test = 60, .gzip = true}); }

  TrainSpec spec() const {
    return {.dataset = {.name = "mnist", .path = data_},
            .validation = 0.2,
            .model = {.name = "lenet"},
            .optimizer = {.name = "momentum", .momentum = 0.9, .weight_decay = 5e-4},
            .batch = 24};
  }
  TrainingJob job(double rate = 0.01) { return job_for(*trainer_, spec(), fixed(rate), kPlan); }

  // The message of a job that must fail.
  std::string failure(const TrainingJob& job) {
    const RecordedRun run = record_run(*trainer_, job);
    EXPECT_EQ(run.outcome.kind, OutcomeKind::kFailed);
    EXPECT_TRUE(run.points.empty());
    return run.outcome.message;
  }

  static constexpr RunPlan kPlan{.iterations = 40, .evaluate_every = 15, .train_subset = 50};
  TemporaryFolder folder_;
  std::filesystem::path data_ = folder_.path() / "small data";
  std::unique_ptr<Trainer> trainer_ = std::move(make_libtorch_trainer({.threads = 4}).value());
};

void expect_same_metrics(const RecordedRun& one, const RecordedRun& other) {
  EXPECT_EQ(one.outcome, other.outcome);
  ASSERT_EQ(one.points.size(), other.points.size());
  for (std::size_t i = 0; i < one.points.size(); ++i) {
    EXPECT_EQ(one.points[i].state, other.points[i].state);
    EXPECT_EQ(one.points[i].train, other.points[i].train) << "point " << i;  // to the last bit
    EXPECT_EQ(one.points[i].evaluated, other.points[i].evaluated) << "point " << i;
  }
}

TEST_F(TrainerTest, LearnsAndReports) {
  const TrainingJob job = this->job();
  const RecordedRun run = record_run(*trainer_, job);
  ASSERT_EQ(run.outcome.kind, OutcomeKind::kCompleted) << run.outcome.message;
  EXPECT_EQ(run.outcome.iteration, 40);
  ASSERT_EQ(run.points.size(), 4u);
  EXPECT_EQ(run.points[0].iteration, 0);
  EXPECT_EQ(run.points[1].iteration, 15);
  EXPECT_EQ(run.points[3].iteration, 40);
  EXPECT_LT(run.points[3].evaluated.loss, 0.5 * run.points[0].evaluated.loss);
  EXPECT_LT(run.points[3].train.loss, 0.5 * run.points[0].train.loss);
  EXPECT_GT(run.points[3].evaluated.top1, 0.7);
  EXPECT_GE(run.points[3].evaluated.top5, run.points[3].evaluated.top1);
  EXPECT_GT(run.points[3].train_seconds, run.points[1].train_seconds);
  EXPECT_GT(run.points[3].evaluate_seconds, run.points[1].evaluate_seconds);
  EXPECT_EQ(run.progress.size(), 40u);
}

TEST_F(TrainerTest, LearnsFromTheColourImagesOfEveryForm) {
  const auto folder = folder_.path() / "colours";
  write_cifar10_files(folder, {.train = 200, .test = 60});
  write_cifar100_files(folder, {.train = 200, .test = 60});
  write_svhn_files(folder, {.train = 200, .test = 60});
  for (const auto& [name, classes] :
       {std::pair("cifar-10", 10), {"cifar-100", 100}, {"svhn", 10}}) {
    TrainSpec colours = spec();
    colours.dataset = {.name = name, .path = folder};
    const TrainingJob job = job_for(*trainer_, colours, fixed(0.01), kPlan);
    EXPECT_EQ(job.identity.data.classes, classes);
    EXPECT_EQ(job.identity.data.train_samples, 160);
    EXPECT_EQ(job.identity.data.test_samples, 60);
    const RecordedRun run = record_run(*trainer_, job);
    ASSERT_EQ(run.outcome.kind, OutcomeKind::kCompleted) << name << ": " << run.outcome.message;
    EXPECT_NEAR(run.points[0].evaluated.loss, std::log(classes), 0.5) << name;
    EXPECT_LT(run.points[3].evaluated.loss, 0.5 * run.points[0].evaluated.loss) << name;
    EXPECT_GT(run.points[3].evaluated.top1, 0.7) << name;
  }
}

TEST_F(TrainerTest, StatesAreNamedByTheRatesApplied) {
  TrainingJob job = this->job();
  job.policy.segments[0].function = {
      .kind = LrFunctionKind::kTri, .k0 = 0.001, .k1 = 0.006, .l = 7};
  const RecordedRun run = record_run(*trainer_, job);
  const Digest start = initial_state(job.identity.hash(), job.seed);
  for (const MetricPoint& point : run.points) {
    EXPECT_EQ(point.state, state_after(start, job.policy, 0, point.iteration));
    EXPECT_EQ(point.learning_rate, learning_rate(job.policy, point.iteration));
  }
  EXPECT_EQ(run.outcome.state, run.points.back().state);
}

TEST_F(TrainerTest, RepeatsItselfToTheLastBit) {
  const RecordedRun first = record_run(*trainer_, job());
  const RecordedRun second = record_run(*trainer_, job());
  expect_same_metrics(first, second);
  TrainingJob other = job();
  other.seed = 6;
  EXPECT_NE(record_run(*trainer_, other).points.back().evaluated.loss,
            first.points.back().evaluated.loss);
}

// Dropout, shifts and flips draw from generators of their own, keyed by seed and iteration.
TEST_F(TrainerTest, TwoSlotsSideBySideGiveWhatEachGivesAlone) {
  constexpr RunPlan kShort{.iterations = 6, .evaluate_every = 2, .train_subset = 10};
  TrainSpec dropping = spec();
  dropping.model = {.name = "mlp", .hidden = 40, .dropout = 0.5};
  dropping.input.augment = {.pad = 3, .flip = true};
  TrainSpec parallel = spec();
  parallel.threads = 2;
  for (const TrainSpec& two : {spec(), parallel, dropping}) {
    const TrainingJob a = job_for(*trainer_, two, fixed(0.01), kShort);
    TrainingJob b = job_for(*trainer_, two, fixed(0.02), kShort);
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
}

TEST_F(TrainerTest, EvaluationChangesNoStep) {
  TrainingJob often = job();
  often.plan.evaluate_every = 1;
  TrainingJob elsewhere = job();
  elsewhere.plan.evaluate_every = 40;
  const RecordedRun one = record_run(*trainer_, often);
  const RecordedRun other = record_run(*trainer_, elsewhere);
  ASSERT_EQ(one.points.size(), 41u);
  ASSERT_EQ(other.points.size(), 2u);
  EXPECT_EQ(one.points.back().evaluated, other.points.back().evaluated);
  EXPECT_EQ(one.points.back().train, other.points.back().train);
  EXPECT_EQ(one.outcome.state, other.outcome.state);
}

TEST_F(TrainerTest, EvaluatesThePartThatThePlanNames) {
  TrainingJob job = this->job();
  job.plan.iterations = 0;
  job.plan.train_subset = 1000;  // more than there are: all
  const auto loss_on = [&](Part part) {
    job.plan.evaluate_on = part;
    return record_run(*trainer_, job).points.at(0).evaluated.loss;
  };
  EXPECT_NE(loss_on(Part::kTest), loss_on(Part::kValidation));
  EXPECT_EQ(loss_on(Part::kTrain), record_run(*trainer_, job).points.at(0).train.loss);
}

TEST_F(TrainerTest, HugeRatesDiverge) {
  const TrainingJob job = this->job(1e6);
  const RecordedRun run = record_run(*trainer_, job);
  ASSERT_EQ(run.outcome.kind, OutcomeKind::kDiverged) << run.outcome.message;
  EXPECT_GT(run.outcome.iteration, 0);
  EXPECT_LT(run.outcome.iteration, 40);
  EXPECT_THAT(run.outcome.message, HasSubstr("not finite"));
  EXPECT_EQ(run.outcome.state, state_after(initial_state(job.identity.hash(), job.seed), job.policy,
                                           0, run.outcome.iteration));
  for (const MetricPoint& point : run.points) EXPECT_LE(point.iteration, run.outcome.iteration);
}

TEST_F(TrainerTest, EvaluationFindsDivergenceToo) {
  TrainingJob job = this->job(1e30);
  job.plan.iterations = 1;  // no training loss is computed after the only step
  const RecordedRun run = record_run(*trainer_, job);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kDiverged);
  EXPECT_EQ(run.outcome.iteration, 1);
  EXPECT_EQ(run.points.size(), 1u);
}

TEST_F(TrainerTest, StopsAtTheTargetIfThePlanSaysSo) {
  TrainingJob job = this->job();
  job.plan.target = Target{Measure::kLoss, 100};
  EXPECT_EQ(record_run(*trainer_, job).outcome.kind, OutcomeKind::kCompleted);
  job.plan.stop_at_target = true;
  const RecordedRun run = record_run(*trainer_, job);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kTargetReached);
  EXPECT_EQ(run.outcome.iteration, 0);
}

TEST_F(TrainerTest, EndsWhereItsTimeIsOver) {
  TrainingJob job = this->job();
  job.plan.iterations = 1'000'000'000;
  job.plan.evaluate_every = job.plan.iterations;
  job.plan.max_seconds = 0.3;
  const RecordedRun run = record_run(*trainer_, job);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kTimeLimit);
  EXPECT_GT(run.outcome.iteration, 0);
  ASSERT_EQ(run.points.size(), 2u) << "at the start and where it ended";
  const MetricPoint& last = run.points.back();
  EXPECT_EQ(last.iteration, run.outcome.iteration);
  EXPECT_EQ(last.state, run.outcome.state);
  EXPECT_GE(last.train_seconds + run.points.front().evaluate_seconds, 0.3);
}

TEST_F(TrainerTest, StopsWhenAsked) {
  const RecordedRun run = record_run(*trainer_, job(), 7);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kStopped);
  EXPECT_EQ(run.outcome.iteration, 7);
  EXPECT_EQ(record_run(*trainer_, job(), 0).outcome.iteration, 0);
}

TEST_F(TrainerTest, MomentumStylesDifferOnlyWhereTheRateChanges) {
  TrainSpec torch_style = spec();
  torch_style.optimizer.style = MomentumStyle::kTorch;
  const RunPlan plan{.iterations = 12, .evaluate_every = 12, .train_subset = 50};
  const auto difference = [&](const LrFunction& function) {
    const RecordedRun paper = record_run(*trainer_, job_for(*trainer_, spec(), function, plan));
    const RecordedRun torch =
        record_run(*trainer_, job_for(*trainer_, torch_style, function, plan));
    return std::abs(paper.points.back().train.loss - torch.points.back().train.loss);
  };
  // After the drop the paper's velocity still has the size of the old rate, PyTorch's step shrinks
  // at once.
  const LrFunction drop{
      .kind = LrFunctionKind::kNstep, .k0 = 0.005, .gamma = 0.01, .boundaries = {6}};
  EXPECT_LT(difference(fixed(0.005)), 1e-4);
  EXPECT_GT(difference(drop), 1e-2);
}

TEST_F(TrainerTest, SurveyTellsTheFacts) {
  const auto facts = trainer_->survey(spec());
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->train_samples, 160);
  EXPECT_EQ(facts->validation_samples, 40);
  EXPECT_EQ(facts->test_samples, 60);
  EXPECT_EQ(facts->classes, 10);
}

TEST_F(TrainerTest, SurveyRefusesWhatCannotBeTrained) {
  const auto error_with = [&](auto change) {
    TrainSpec bad = spec();
    change(bad);
    const auto facts = trainer_->survey(bad);
    return facts ? std::string("no error") : facts.error().message;
  };
  EXPECT_THAT(error_with([](TrainSpec& s) { s.model.name = "lenat"; }),
              HasSubstr("did you mean 'lenet'?"));
  EXPECT_THAT(error_with([](TrainSpec& s) { s.dataset.name = "imagenet"; }),
              HasSubstr("mnist, fashion-mnist"));
  EXPECT_THAT(error_with([](TrainSpec& s) { s.device = "cuda"; }),
              HasSubstr("computes on cpu, not on cuda"));
  EXPECT_THAT(error_with([](TrainSpec& s) { s.threads = 5; }), HasSubstr("1 to 4 threads, not 5"));
  EXPECT_THAT(error_with([](TrainSpec& s) { s.optimizer.name = "adamm"; }),
              HasSubstr("not 'adamm'"));
  EXPECT_THAT(error_with([](TrainSpec& s) { s.validation = 0.999; }), HasSubstr("none of 200"));
  std::filesystem::remove(data_ / "t10k-labels-idx1-ubyte.gz");
  const auto fresh = std::move(make_libtorch_trainer({}).value());
  EXPECT_THAT(fresh->survey(spec()).error().message, HasSubstr("t10k-labels-idx1-ubyte"));
}

TEST_F(TrainerTest, JobsForOtherNumericsOrDataFail) {
  TrainingJob numerics = job();
  numerics.identity.numerics.instruction_set = "ALTIVEC";
  EXPECT_THAT(failure(numerics), HasSubstr("the job needs ALTIVEC"));
  TrainingJob data = job();
  data.identity.data.fingerprint = sha256("something else");
  EXPECT_THAT(failure(data), AllOf(HasSubstr(data_.string()), HasSubstr("not those of the job")));
}

TEST_F(TrainerTest, JobsThatCannotRunFail) {
  TrainingJob no_subset = job();
  no_subset.plan.train_subset = 0;
  EXPECT_THAT(failure(no_subset), HasSubstr("train subset"));
  TrainSpec whole = spec();
  whole.validation = 0;
  EXPECT_THAT(failure(job_for(*trainer_, whole, fixed(0.01), kPlan)),
              HasSubstr("holds out no sample"));
}

TEST(LibtorchTrainerTest, ADeviceThatIsNotThereIsAnError) {
  const auto cuda = make_libtorch_trainer({.device = "cuda"});
  ASSERT_FALSE(cuda);
  EXPECT_THAT(cuda.error().message, HasSubstr("lrtune-worker-cuda"));
  const auto other = make_libtorch_trainer({.device = "tpu"});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("must be cpu, cuda or cuda:N with N"));
  const auto second = make_libtorch_trainer({.device = "cuda:1"});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("the device cuda:1 needs lrtune-worker-cuda"));
}

}  // namespace
}  // namespace lrtune

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "common/state_name.h"
#include "tests/support/recorded_run.h"
#include "worker/training/synthetic_trainer.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

const TrainSpec kSpec{
    .dataset = {.name = "synthetic"}, .validation = 0.1, .model = {.name = "lenet"}, .batch = 100};
const RunPlan kPlan{.iterations = 1000, .evaluate_every = 300, .train_subset = 10};

LrFunction fixed(double rate) { return {.kind = LrFunctionKind::kFix, .k0 = rate}; }

TEST(SyntheticTrainerTest, MeasuresAtZeroAtIntervalsAndAtTheEnd) {
  const auto trainer = make_synthetic_trainer();
  const TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  const RecordedRun run = record_run(*trainer, job);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kCompleted);
  EXPECT_EQ(run.outcome.iteration, 1000);
  ASSERT_EQ(run.points.size(), 5u);
  const std::int64_t iterations[] = {0, 300, 600, 900, 1000};
  const Digest start = initial_state(job.identity.hash(), job.seed);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(run.points[i].iteration, iterations[i]);
    EXPECT_EQ(run.points[i].state, state_after(start, job.policy, 0, iterations[i]));
  }
  EXPECT_EQ(run.outcome.state, run.points.back().state);
  EXPECT_EQ(run.progress.size(), 1000u);
}

TEST(SyntheticTrainerTest, RepeatsItself) {
  const auto trainer = make_synthetic_trainer();
  const TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  const RecordedRun first = record_run(*trainer, job);
  const RecordedRun second = record_run(*trainer, job);
  EXPECT_EQ(first.outcome, second.outcome);
  for (std::size_t i = 0; i < first.points.size(); ++i) {
    EXPECT_EQ(first.points[i].evaluated, second.points[i].evaluated);
  }
}

TEST(SyntheticTrainerTest, GoodRatesBeatBadOnesWithAnySeed) {
  const auto trainer = make_synthetic_trainer();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto top1 = [&](double rate) {
      TrainingJob job = job_for(*trainer, kSpec, fixed(rate), kPlan);
      job.seed = seed;
      return record_run(*trainer, job).points.back().evaluated.top1;
    };
    EXPECT_GT(top1(0.03), top1(0.003)) << seed;
    EXPECT_GT(top1(0.003), top1(0.0003)) << seed;
    EXPECT_GT(top1(0.03), top1(0.5)) << seed;
  }
}

TEST(SyntheticTrainerTest, DivergesAboveItsLimit) {
  const auto trainer = make_synthetic_trainer({.diverge_above = 0.5});
  const LrFunction growing{
      .kind = LrFunctionKind::kNstep, .k0 = 0.1, .gamma = 10, .boundaries = {40}};
  const TrainingJob job = job_for(*trainer, kSpec, growing, kPlan);
  const RecordedRun run = record_run(*trainer, job);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kDiverged);
  EXPECT_EQ(run.outcome.iteration, 40);
  EXPECT_EQ(run.outcome.state,
            state_after(initial_state(job.identity.hash(), job.seed), job.policy, 0, 40));
}

TEST(SyntheticTrainerTest, StopsAtItsTargetOnlyIfThePlanSaysSo) {
  const auto trainer = make_synthetic_trainer();
  TrainingJob job = job_for(*trainer, kSpec, fixed(0.05), kPlan);
  job.plan.target = Target{Measure::kTop1, 0.2};
  EXPECT_EQ(record_run(*trainer, job).outcome.kind, OutcomeKind::kCompleted);
  job.plan.stop_at_target = true;
  const RecordedRun run = record_run(*trainer, job);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kTargetReached);
  EXPECT_EQ(run.outcome.iteration, 300);
}

TEST(SyntheticTrainerTest, EndsWhereItsTimeIsOver) {
  const auto trainer = make_synthetic_trainer();
  TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  job.plan.max_seconds = 1e-9;
  const RecordedRun run = record_run(*trainer, job);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kTimeLimit);
  EXPECT_EQ(run.outcome.iteration, run.points.back().iteration);
}

TEST(SyntheticTrainerTest, StopsWhenAsked) {
  const auto trainer = make_synthetic_trainer();
  const TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  const RecordedRun run = record_run(*trainer, job, 17);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kStopped);
  EXPECT_EQ(run.outcome.iteration, 17);
}

TEST(SyntheticTrainerTest, AStopEndsAWait) {
  const auto trainer = make_synthetic_trainer({.iteration_time = std::chrono::hours(1)});
  const TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  RunRecorder recorder;
  Outcome outcome;
  std::thread thread([&] { outcome = trainer->train(job, recorder, recorder.stop); });
  recorder.stop = true;
  thread.join();
  EXPECT_EQ(outcome.kind, OutcomeKind::kStopped);
}

TEST(SyntheticTrainerTest, IterationsTakeTheirTime) {
  const auto trainer = make_synthetic_trainer({.iteration_time = std::chrono::microseconds(300)});
  TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  job.plan.iterations = 50;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(record_run(*trainer, job).outcome.kind, OutcomeKind::kCompleted);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(15));
}

// Any value is a plateau: the controller changes as often as its cooldown lets it.
Policy always_changing() {
  return {
      .segments = {},
      .plateau = Plateau{.functions = {{.kind = LrFunctionKind::kTri, .k0 = 0, .k1 = 0.2, .l = 7},
                                       {.kind = LrFunctionKind::kFix, .k0 = 0.05},
                                       {.kind = LrFunctionKind::kFix, .k0 = 0.01}},
                         .start = 1,
                         .every = 10,
                         .metric = PlateauMetric::kTop1,
                         .window = 2,
                         .threshold = 1e6,
                         .cooldown = 0,
                         .length = 60}};
}

TEST(SyntheticTrainerTest, AReactiveRunIsThatOfItsRealisedSchedule) {
  const auto trainer = make_synthetic_trainer();
  TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  job.plan.iterations = 95;
  job.plan.evaluate_every = 10;
  job.plan.m_opt_every = 20;
  job.policy = always_changing();
  const RecordedRun run = record_run(*trainer, job);
  ASSERT_EQ(run.outcome.kind, OutcomeKind::kCompleted) << run.outcome.message;
  const Policy realised = run.outcome.realised.value();
  ASSERT_EQ(realised.segments.size(), 4U);  // up at 30, down at 50 and 60
  EXPECT_EQ(realised.segments[2].until, 60);
  EXPECT_EQ(run.outcome.state,
            state_after(initial_state(job.identity.hash(), job.seed), realised, 0, 95));
  job.policy = realised;
  const RecordedRun again = record_run(*trainer, job);
  EXPECT_FALSE(again.outcome.realised);
  EXPECT_EQ(again.outcome.state, run.outcome.state);
  ASSERT_EQ(again.points.size(), run.points.size());
  for (std::size_t i = 0; i < run.points.size(); ++i) {
    EXPECT_EQ(again.points[i].state, run.points[i].state);
    EXPECT_EQ(again.points[i].learning_rate, run.points[i].learning_rate);
    EXPECT_EQ(again.points[i].evaluated, run.points[i].evaluated);
    EXPECT_EQ(again.points[i].m_opt, run.points[i].m_opt);
  }
  EXPECT_EQ(again.points[1].m_opt.size(), 1U);
  EXPECT_EQ(again.points[1].m_opt[0].iteration, 1);
}

TEST(SyntheticTrainerTest, MoptChangesNoPoint) {
  const auto trainer = make_synthetic_trainer();
  TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  const RecordedRun plain = record_run(*trainer, job);
  job.plan.m_opt_every = 3;
  const RecordedRun measured = record_run(*trainer, job);
  EXPECT_EQ(measured.outcome, plain.outcome);
  ASSERT_EQ(measured.points.size(), plain.points.size());
  for (std::size_t i = 0; i < plain.points.size(); ++i) {
    EXPECT_EQ(measured.points[i].state, plain.points[i].state);
    EXPECT_EQ(measured.points[i].evaluated, plain.points[i].evaluated);
    EXPECT_TRUE(plain.points[i].m_opt.empty());
  }
}

TEST(SyntheticTrainerTest, RefusesNumericsThatAreNotItsOwn) {
  const auto trainer = make_synthetic_trainer();
  TrainingJob job = job_for(*trainer, kSpec, fixed(0.01), kPlan);
  job.identity.numerics.backend = "libtorch 2.15.0";
  const RecordedRun run = record_run(*trainer, job);
  EXPECT_EQ(run.outcome.kind, OutcomeKind::kFailed);
  EXPECT_THAT(run.outcome.message, HasSubstr("libtorch 2.15.0"));
}

}  // namespace
}  // namespace lrtune

// One job: steps and evaluations from the initial state to the end of the plan.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/policy/run_rates.h"
#include "worker/checkpoints/run_checkpoints.h"
#include "worker/training/batch_source.h"
#include "worker/training/loss_gradient.h"
#include "worker/training/loss_watch.h"
#include "worker/training/m_opt_meter.h"
#include "worker/training/models.h"
#include "worker/training/optimizers.h"
#include "worker/training/sampler.h"
#include "worker/training/trainer.h"

namespace lrtune {

// What the network of `train` sees of `dataset`.
ImageShape image_shape(const TrainSpec& train, const Dataset& dataset);

class TrainingRun {
 public:
  // The arguments must outlive the run. REQUIRES: the job fits the data (libtorch_trainer.cc checks
  // it); `model` and `optimizer` are those of job.identity.train, in their initial state.
  TrainingRun(const TrainingJob& job, BatchSource& batches, const Split& split,
              std::unique_ptr<Model> model, std::unique_ptr<Optimizer> optimizer,
              TrainingObserver& observer, const std::atomic<bool>& stop,
              RunCheckpoints& checkpoints, StepOptions steps = {});

  // Continues from the longest prefix that `checkpoints` knows, reporting its metric points first,
  // or from the initial state.
  //
  // Once. A training loss that is not finite at iteration t ends the run as diverged at t, before
  // its step is applied; so does an evaluation, whose point is then not reported.
  Outcome run();

 private:
  std::optional<Outcome> go_on_from_checkpoint();
  std::optional<Outcome> next();
  Outcome stopped();
  void train_on();
  void pause_clock();
  void save_checkpoint();
  void hand_over();
  std::optional<Outcome> report(const MetricPoint& point);
  std::optional<Outcome> step();
  bool evaluation_due(bool last) const;
  bool time_is_over() const;
  std::optional<Outcome> look_for_divergence();
  std::optional<Outcome> evaluate();
  bool asked_to_stop() const;
  std::optional<PartMetrics> metrics_of(Part file, std::span<const std::int64_t> samples);
  Outcome ended(OutcomeKind kind, std::string message = {}) const;

  const TrainingJob& job_;
  BatchSource& batches_;
  TrainingObserver& observer_;
  const std::atomic<bool>& stop_;
  RunCheckpoints& checkpoints_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Optimizer> optimizer_;
  LossGradient step_work_;
  LossWatch watch_;
  MoptMeter m_opt_;
  RunRates rates_;

  std::vector<std::int64_t> train_subset_;
  std::vector<std::int64_t> evaluated_samples_;

  std::int64_t iteration_ = 0;  // steps applied
  Digest state_;                // after them: the chain over the rates really applied
  // Divergence may be seen late: the last iteration known to be good, its state, and the rates
  // since.
  std::int64_t good_iteration_ = 0;
  Digest good_state_;
  std::vector<double> rates_since_good_;
  double train_seconds_ = 0;  // up to segment_start_ while it trains
  double evaluate_seconds_ = 0;
  using Clock = std::chrono::steady_clock;
  Clock::time_point segment_start_;   // of training without an evaluation or a checkpoint
  std::vector<MetricPoint> history_;  // reported so far
  std::optional<Error> failure_;      // of an evaluation
};

}  // namespace lrtune

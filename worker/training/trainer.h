// What the worker's threads ask of a training back end. LibTorch is one (libtorch_trainer.h), a
// synthetic one for tests and benchmarks is the other (synthetic_trainer.h). Nothing here includes
// LibTorch.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/policy/policy.h"
#include "common/result.h"
#include "common/training.h"
#include "common/training/training_phase.h"

namespace lrtune {

// One stage job: from the initial state of (identity, seed) to iteration plan.iterations.
struct TrainingJob {
  TrainingIdentity identity;
  Policy policy;
  std::uint64_t seed = 0;
  RunPlan plan;
};

// Where a running job reports to. Called from the training thread.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void measured(
      const MetricPoint& point) = 0;  // at 0, at every plan.evaluate_every, at the end
  virtual void progressed(std::int64_t iteration) = 0;  // after every iteration; must be cheap
  // What comes now. A job begins in kLoading; a thread in kTraining must go on making steps, or it
  // is taken for one that hangs. Must be cheap.
  virtual void entered(TrainingPhase) {}
};

class Trainer {
 public:
  virtual ~Trainer() = default;

  // What this process computes with. `threads` is the most that a job may ask for.
  virtual Numerics numerics() const = 0;

  // Looks at the data and the network of `spec`: every file is opened, its header, size and labels
  // are checked, its contents hashed. An error names the file and what is wrong. Thread-safe.
  virtual Result<DataFacts> survey(const TrainSpec& spec) = 0;

  // Trains to the end, to a stop condition or until `stop` is set (looked at once an iteration).
  // Never throws: what the job asks for and cannot be had anywhere is an Outcome with kFailed, what
  // went wrong while it ran one with kFailedHere. Thread-safe: one call a slot, side by side.
  virtual Outcome train(const TrainingJob& job, TrainingObserver& observer,
                        const std::atomic<bool>& stop) = 0;

  // Why this process can train nothing any more, and must be started again: after some errors of
  // CUDA every later call fails. Thread-safe.
  virtual std::optional<std::string> broken() const { return std::nullopt; }
};

}  // namespace lrtune

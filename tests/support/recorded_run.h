// Runs a training job and keeps what it reports.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "worker/training/trainer.h"

namespace lrtune {

class RunRecorder : public TrainingObserver {
 public:
  void measured(const MetricPoint& point) override { points.push_back(point); }
  void progressed(std::int64_t iteration) override {
    progress.push_back(iteration);
    if (iteration == stop_after) stop = true;
  }

  std::int64_t stop_after = -1;
  std::atomic<bool> stop = false;
  std::vector<MetricPoint> points;
  std::vector<std::int64_t> progress;
};

struct RecordedRun {
  Outcome outcome;
  std::vector<MetricPoint> points;
  std::vector<std::int64_t> progress;
};

inline RecordedRun record_run(Trainer& trainer, const TrainingJob& job,
                              std::int64_t stop_after = -1) {
  RunRecorder recorder;
  recorder.stop_after = stop_after;
  recorder.stop = stop_after == 0;
  Outcome outcome = trainer.train(job, recorder, recorder.stop);
  return {std::move(outcome), std::move(recorder.points), std::move(recorder.progress)};
}

// A job for `trainer` with what `spec` says; its data and numerics are asked of the trainer. The
// spec must be one that it can train.
inline TrainingJob job_for(Trainer& trainer, const TrainSpec& spec, const LrFunction& function,
                           const RunPlan& plan) {
  TrainingJob job{.identity = {.train = spec,
                               .data = trainer.survey(spec).value(),
                               .numerics = trainer.numerics()},
                  .policy = {{{.function = function}}},
                  .seed = 5,
                  .plan = plan};
  job.identity.numerics.threads = spec.threads;
  return job;
}

}  // namespace lrtune

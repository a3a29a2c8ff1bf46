// The training threads: one a slot, and one for surveys. What they have to say goes to the inbox.
// All functions are for the socket thread and return at once.
#pragma once

#include <memory>
#include <vector>

#include "worker/core/worker_core.h"
#include "worker/inbox.h"
#include "worker/task_thread.h"
#include "worker/training/trainer.h"

namespace lrtune {

class JobRunner {
 public:
  // `trainer` and `inbox` must outlive the runner.
  JobRunner(Trainer& trainer, Inbox& inbox, int slots);
  ~JobRunner();  // stops all jobs and waits for their threads

  // JobStarted, JobMeasured ... and at last JobFinished will come. The slot must be free.
  void start(const worker_action::StartJob& action);
  void stop(JobId job, Attempt attempt);
  void survey(const worker_action::StartSurvey& action);  // SurveyDone will come

  bool busy() const;  // a job runs
  // Where the running jobs are, as far as they moved since the last call.
  std::vector<worker_event::JobProgressed> progress();

 private:
  class Slot;
  Trainer& trainer_;
  Inbox& inbox_;
  std::vector<std::unique_ptr<Slot>> slots_;
  TaskThread surveys_;
};

}  // namespace lrtune

#include "worker/job_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>

namespace lrtune {
namespace {

// Trainers promise not to throw; a process that keeps other slots must not die of a broken promise.
Outcome train_safely(Trainer& trainer, const TrainingJob& job, TrainingObserver& observer,
                     const std::atomic<bool>& stop) {
  try {
    return trainer.train(job, observer, stop);
  } catch (const std::exception& error) {
    return {OutcomeKind::kFailedHere, 0, {}, std::string("the trainer failed: ") + error.what()};
  }
}

Result<DataFacts> survey_safely(Trainer& trainer, const TrainSpec& spec) {
  try {
    return trainer.survey(spec);
  } catch (const std::exception& error) {
    return fail(std::string("the survey failed: ") + error.what());
  }
}

// Why this machine cannot train the job now, though another may: its files are missing or others.
// Empty if it can. Data that were looked at before cost nothing.
std::string obstacle_here(Trainer& trainer, const TrainingJob& job) {
  const auto facts = survey_safely(trainer, job.identity.train);
  if (!facts) return facts.error().message;
  if (*facts == job.identity.data) return {};
  if (facts->network != job.identity.data.network) {
    return fmt::format("the network {} here is not that of the job: its contents differ",
                       job.identity.train.model.file);
  }
  return fmt::format("the data of {} here (fingerprint {:.12}) are not those of the job ({:.12})",
                     job.identity.train.dataset.name, facts->fingerprint.hex(),
                     job.identity.data.fingerprint.hex());
}

}  // namespace

// `job_` and `attempt_` change only while the slot is idle; the task's post() hands them to the
// thread.
class JobRunner::Slot : public TrainingObserver {
 public:
  explicit Slot(Inbox& inbox) : inbox_(inbox) {}
  ~Slot() override { stop(); }

  void start(Trainer& trainer, const wire::Assign& assignment) {
    job_ = assignment.job;
    attempt_ = assignment.attempt;
    stop_.store(false);
    iteration_.store(0);
    phase_.store(TrainingPhase::kLoading);
    told_ = 0;
    told_phases_ = phases_.load();
    busy_.store(true);
    TrainingJob job{assignment.identity, assignment.policy, assignment.seed, assignment.plan};
    thread_.post([this, &trainer, job = std::move(job)] {
      if (std::string obstacle = obstacle_here(trainer, job); !obstacle.empty()) {
        busy_.store(false);
        inbox_.push(worker_event::JobRefused{job_, attempt_, std::move(obstacle)});
        return;
      }
      inbox_.push(worker_event::JobStarted{job_, attempt_});
      Outcome outcome = train_safely(trainer, job, *this, stop_);
      busy_.store(false);
      if (auto reason = trainer.broken()) inbox_.push(worker_event::DeviceBroken{*reason});
      inbox_.push(worker_event::JobFinished{job_, attempt_, std::move(outcome)});
    });
  }

  void stop() { stop_.store(true); }
  bool busy() const { return busy_.load(); }
  bool runs(JobId job, Attempt attempt) const {
    return busy() && job_ == job && attempt_ == attempt;
  }

  void measured(const MetricPoint& point) override {
    inbox_.push(worker_event::JobMeasured{job_, attempt_, point});
  }
  void progressed(std::int64_t iteration) override {
    iteration_.store(iteration, std::memory_order_relaxed);
  }
  void entered(TrainingPhase phase) override {
    phase_.store(phase, std::memory_order_relaxed);
    phases_.fetch_add(1, std::memory_order_relaxed);
  }

  std::optional<worker_event::JobProgressed> progress() {
    const std::int64_t iteration = iteration_.load(std::memory_order_relaxed);
    const std::uint32_t phases = phases_.load(std::memory_order_relaxed);
    if (!busy() || (iteration == told_ && phases == told_phases_)) return std::nullopt;
    told_ = iteration;
    told_phases_ = phases;
    return worker_event::JobProgressed{job_, attempt_, iteration,
                                       phase_.load(std::memory_order_relaxed)};
  }

 private:
  Inbox& inbox_;
  JobId job_;
  Attempt attempt_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<bool> busy_{false};
  std::atomic<std::int64_t> iteration_{0};
  std::atomic<TrainingPhase> phase_{TrainingPhase::kLoading};
  std::atomic<std::uint32_t> phases_{
      0};  // entered so far: one that came and went is a sign of life
  std::int64_t told_ = 0;
  std::uint32_t told_phases_ = 0;
  TaskThread thread_;
};

JobRunner::JobRunner(Trainer& trainer, Inbox& inbox, int slots) : trainer_(trainer), inbox_(inbox) {
  for (int i = 0; i < slots; ++i) slots_.push_back(std::make_unique<Slot>(inbox));
}

JobRunner::~JobRunner() {
  for (const auto& slot : slots_) slot->stop();  // all at once, before the first is waited for
}

void JobRunner::start(const worker_action::StartJob& action) {
  slots_.at(static_cast<std::size_t>(action.slot))->start(trainer_, action.assignment);
}

void JobRunner::stop(JobId job, Attempt attempt) {
  for (const auto& slot : slots_) {
    if (slot->runs(job, attempt)) slot->stop();
  }
}

void JobRunner::survey(const worker_action::StartSurvey& action) {
  surveys_.post([this, action] {
    inbox_.push(worker_event::SurveyDone{action.survey, survey_safely(trainer_, action.train)});
  });
}

bool JobRunner::busy() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->busy(); });
}

std::vector<worker_event::JobProgressed> JobRunner::progress() {
  std::vector<worker_event::JobProgressed> events;
  for (const auto& slot : slots_) {
    if (auto event = slot->progress()) events.push_back(*event);
  }
  return events;
}

}  // namespace lrtune

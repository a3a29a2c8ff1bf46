// The worker's state machine: events in, actions out; no I/O, no thread, no clock. One thread owns
// it (the one with the socket). It keeps every numbered report until it is acknowledged and sends
// it again after a reconnect.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/training/training_phase.h"
#include "common/wire/messages.h"

namespace lrtune {

using WorkerTime = std::chrono::steady_clock::time_point;

struct WorkerOptions {
  std::string name;
  std::string process;  // random, new for each process
  int slots = 1;
  std::size_t most_waiting = 1024;  // assignments that wait for a slot; more are refused
  Numerics numerics;
  std::chrono::milliseconds hello_every{1000};   // until a WELCOME comes
  std::chrono::milliseconds resend_after{3000};  // an unacknowledged report is sent again
  // A worker that leaves waits so long for the acknowledgement of its last reports.
  std::chrono::milliseconds leave_within{2000};
  // Without a first WELCOME for so long the worker exits with 1; nullopt: it goes on trying.
  std::optional<std::chrono::milliseconds> give_up_after;
  // A training thread that makes no step for so long hangs. One in another phase than training, and
  // a survey, ten times as long. 0: never.
  std::chrono::milliseconds watchdog{300'000};
  // A worker that leaves waits so long for a thread that was asked to stop, and ten times as long
  // for one that keeps a checkpoint.
  std::chrono::milliseconds stop_within{30'000};
  // It leaves by itself, to be gone so long after its start; nullopt: it stays.
  std::optional<std::chrono::milliseconds> walltime;
  // So long before the walltime is over, and the time that a checkpoint took, it begins to leave.
  std::chrono::milliseconds leave_before{60'000};
};

// Codes of worker_action::Exit.
inline constexpr int kExitLeft = 0;          // sent away, or asked to stop
inline constexpr int kExitNotWanted = 1;     // rejected, or nobody answered
inline constexpr int kExitDeviceBroken = 3;  // or a thread of it hangs: start it again

namespace worker_event {
struct Received {
  wire::FromCoordinator message;
};
struct SurveyDone {
  std::int64_t survey = 0;
  Result<DataFacts> facts;
};
struct JobStarted {
  JobId job;
  Attempt attempt = 0;
};
// A sign of life: an iteration or a change of phase since the last one.
struct JobProgressed {
  JobId job;
  Attempt attempt = 0;
  std::int64_t iteration = 0;
  TrainingPhase phase = TrainingPhase::kTraining;
};
struct JobMeasured {
  JobId job;
  Attempt attempt = 0;
  MetricPoint point;
};
struct JobFinished {
  JobId job;
  Attempt attempt = 0;
  Outcome outcome;
};
// The trainer cannot do the job here, by no fault of the job: its data are missing or not those of
// the job's identity. In place of JobStarted; nothing was trained.
struct JobRefused {
  JobId job;
  Attempt attempt = 0;
  std::string reason;
};
// The trainer's device can compute no more in this process. Before the JobFinished that shows it.
struct DeviceBroken {
  std::string reason;
};
struct Connected {};  // a connection was made; what was sent over an earlier one may be lost
struct Ticked {};
// SIGTERM, SIGINT, a notice of preemption, the end of the parent.
struct StopRequested {
  std::string reason;
  bool at_once = false;  // without checkpoints, and without waiting for anything
};
}  // namespace worker_event
using WorkerEvent =
    std::variant<worker_event::Received, worker_event::SurveyDone, worker_event::JobStarted,
                 worker_event::JobProgressed, worker_event::JobMeasured, worker_event::JobFinished,
                 worker_event::JobRefused, worker_event::DeviceBroken, worker_event::Connected,
                 worker_event::Ticked, worker_event::StopRequested>;

namespace worker_action {
struct Send {
  wire::ToCoordinator message;
};
struct StartSurvey {
  std::int64_t survey = 0;
  TrainSpec train;
};
struct StartJob {
  int slot = 0;
  wire::Assign assignment;
};
struct StopJob {
  JobId job;
  Attempt attempt = 0;
};  // ask its thread to stop; JobFinished will follow
// After the sends before it.
struct Exit {
  int code = 0;
  std::string reason;
  bool abandons_threads = false;  // some train or survey still, perhaps for ever
};
}  // namespace worker_action
using WorkerAction =
    std::variant<worker_action::Send, worker_action::StartSurvey, worker_action::StartJob,
                 worker_action::StopJob, worker_action::Exit>;

class WorkerCore {
 public:
  WorkerCore(WorkerOptions options, WorkerTime now);
  ~WorkerCore();
  WorkerCore(WorkerCore&&) noexcept;
  WorkerCore& operator=(WorkerCore&&) noexcept;

  std::vector<WorkerAction> step(const WorkerEvent& event, WorkerTime now);
  std::optional<WorkerTime> next_deadline() const;
  // A job waits for a slot: no slot will stand free for want of what this worker has to say.
  bool has_waiting() const;
  void check_invariants() const;  // throws std::logic_error; for tests

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lrtune

// What the worker's state machine knows, as plain data, and its handlers as plain functions over
// it. Only the files of this folder include it.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/core/waiting_jobs.h"
#include "worker/core/worker_core.h"

namespace lrtune {

struct AttemptKey {
  JobId job;
  Attempt attempt = 0;
  auto operator<=>(const AttemptKey&) const = default;
};

template <typename Message>
AttemptKey key_of(const Message& message) {
  return {message.job, message.attempt};
}

// The numbered reports of one attempt that are not acknowledged. There is an entry for each attempt
// that trains or has such reports.
struct Reports {
  struct Kept {
    wire::ToCoordinator message;
    std::optional<WorkerTime> sent_at;  // nullopt: not yet
  };
  std::int64_t next_sequence = 1;
  std::deque<Kept> kept;                // consecutive sequences, the last is next_sequence - 1
  bool finished = false;                // the last one is Finished
  std::optional<WorkerTime> resend_at;  // its entry in WorkerState::resends
};

struct Slot {
  std::optional<AttemptKey> running;  // set while its thread trains
  bool stopping = false;              // the thread was asked to stop
  bool forgotten = false;             // the attempt was given up: what its thread says is dropped
  bool abandoned = false;             // its thread hangs and is waited for no longer
  bool started = false;
  TrainingPhase phase = TrainingPhase::kLoading;
  WorkerTime phase_since;
  WorkerTime sign_at;           // the thread's last step or change of phase
  std::int64_t reached = 0;     // the last iteration known
  std::int64_t iteration = -1;  // the last one told
  WorkerTime next_progress;
};

enum class Session : std::uint8_t {
  kJoining,  // says HELLO until WELCOME comes
  kJoined,
  kOver,  // Exit was emitted: nothing happens any more
};

struct Leaving {
  std::string reason;
  int code = kExitLeft;
  WorkerTime since;
  std::optional<WorkerTime> give_up_at;  // set once no thread trains
};

struct WorkerState {
  WorkerState(WorkerOptions the_options, WorkerTime the_now);

  WorkerOptions options;
  WorkerTime now;
  WorkerTime born;
  std::vector<WorkerAction> actions;  // of the step under way

  Session session = Session::kJoining;
  bool welcomed = false;  // at least once
  wire::Welcome terms;    // of the last WELCOME
  WorkerTime next_hello;
  WorkerTime next_heartbeat;
  WorkerTime last_heard;
  std::optional<Leaving> leaving;

  std::vector<Slot> slots;
  WaitingJobs waiting;  // for a slot, or for the thread of an older attempt of their job to end
  std::map<AttemptKey, Reports> reports;
  std::set<std::pair<WorkerTime, AttemptKey>> resends;  // when which reports are to be sent again
  std::set<std::int64_t> surveys;                       // under way, one after the other
  WorkerTime survey_sign_at;  // when the one under way began, at the latest
  WorkerTime looked_at;       // the step before
  // What phases took here so far.
  std::chrono::milliseconds longest_loading{0};
  std::chrono::milliseconds longest_checkpoint{0};
  // What is here and not over. A store of another history gives the same numbers to other work, and
  // may cancel one that it never gave.
  std::set<AttemptKey> given;
  // Of what it gave, attempts that are over for ever, so that a late copy of their assignment
  // starts nothing; the latest ones, and the same in the order of their ends.
  std::set<AttemptKey> ended;
  std::deque<AttemptKey> ended_in_order;

  void send(wire::ToCoordinator message);
  void emit(WorkerAction action) { actions.push_back(std::move(action)); }
  Slot* slot_of(const AttemptKey& key);  // where its thread trains, or nullptr
};

// session.cc: joining, signs of life, leaving
void on_welcome(WorkerState& state, const wire::Welcome& message);
void on_introduce(WorkerState& state);
void on_rejected(WorkerState& state, const wire::Rejected& message);
void on_connected(WorkerState& state);
void keep_session(WorkerState& state);  // what is due by now
std::optional<WorkerTime> session_deadline(const WorkerState& state);
void begin_leaving(WorkerState& state, const std::string& reason, int code = kExitLeft);
void leave_if_done(WorkerState& state);
void leave_at_once(WorkerState& state, const std::string& reason);

// attempts.cc: slots and what runs in them
void on_assign(WorkerState& state, const wire::Assign& message);
void on_cancel(WorkerState& state, const wire::Cancel& message);
void on_job_started(WorkerState& state, const worker_event::JobStarted& event);
void on_job_progressed(WorkerState& state, const worker_event::JobProgressed& event);
void on_job_measured(WorkerState& state, const worker_event::JobMeasured& event);
void on_job_finished(WorkerState& state, const worker_event::JobFinished& event);
void on_job_refused(WorkerState& state, const worker_event::JobRefused& event);
void stop_all(WorkerState& state);
void give_all_up(WorkerState& state);  // stops all, and forgets what they had to report
std::vector<wire::HeldAttempt> held_attempts(const WorkerState& state);
void say_what_runs(WorkerState& state);

// reports.cc: numbered reports until they are acknowledged
void on_acknowledge(WorkerState& state, const wire::Acknowledge& message);
void report_measured(WorkerState& state, const AttemptKey& key, const MetricPoint& point);
void report_finished(WorkerState& state, const AttemptKey& key, const Outcome& outcome);
void send_all_reports(WorkerState& state);
void send_due_reports(WorkerState& state);
std::optional<WorkerTime> reports_deadline(const WorkerState& state);
void drop_reports(WorkerState& state, const AttemptKey& key);
void forget_attempt(WorkerState& state, const AttemptKey& key);  // it is over for ever

// watch.cc: threads that make no step, and what the walltime leaves room for
void note_phase(WorkerState& state, Slot& slot, TrainingPhase phase);
void keep_watch(WorkerState& state);
std::optional<WorkerTime> watch_deadline(const WorkerState& state);
std::optional<WorkerTime> time_to_leave(const WorkerState& state);
// Why no job may begin any more; nothing if one may.
std::optional<std::string> too_late_to_begin(const WorkerState& state);

// invariants.cc: throws std::logic_error with the first broken one
void check_worker_invariants(const WorkerState& state);

}  // namespace lrtune

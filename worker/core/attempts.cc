#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>

#include "worker/core/worker_state.h"

namespace lrtune {
namespace {

using std::chrono::milliseconds;

// The newest attempt of `job` that runs, waits or has reports here; 0 if none. What only its thread
// remembers is none.
Attempt newest_attempt(const WorkerState& state, JobId job) {
  Attempt newest = 0;
  for (const Slot& slot : state.slots) {
    if (slot.running && slot.running->job == job && !slot.forgotten)
      newest = std::max(newest, slot.running->attempt);
  }
  if (const wire::Assign* waiting = state.waiting.of(job))
    newest = std::max(newest, waiting->attempt);
  const auto after = state.reports.upper_bound({job, std::numeric_limits<Attempt>::max()});
  if (after != state.reports.begin() && std::prev(after)->first.job == job)
    newest = std::max(newest, std::prev(after)->first.attempt);
  return newest;
}

bool has_thread(const WorkerState& state, JobId job) {
  return std::any_of(state.slots.begin(), state.slots.end(),
                     [job](const Slot& slot) { return slot.running && slot.running->job == job; });
}

void stop(WorkerState& state, Slot& slot) {
  if (!slot.running || slot.stopping) return;
  slot.stopping = true;
  state.emit(worker_action::StopJob{slot.running->job, slot.running->attempt});
}

void give_up(WorkerState& state, Slot& slot) {
  slot.forgotten = true;
  stop(state, slot);
  forget_attempt(state, *slot.running);
}

void start(WorkerState& state, Slot& slot, const wire::Assign& assignment) {
  slot = Slot{};
  slot.running = key_of(assignment);
  slot.next_progress = state.now + milliseconds(state.terms.progress_ms);
  slot.phase_since = slot.sign_at = state.now;
  state.reports[*slot.running] = Reports{};
  state.emit(worker_action::StartJob{static_cast<int>(&slot - state.slots.data()), assignment});
}

void refuse(WorkerState& state, const wire::Assign& message, std::string reason) {
  state.given.erase(key_of(message));
  state.send(wire::Refused{message.job, message.attempt, std::move(reason)});
}

void hand_back_waiting(WorkerState& state, const std::string& reason) {
  for (const auto& [place, waiting] : state.waiting.in_order()) refuse(state, waiting, reason);
  state.waiting = {};
}

// What its thread says still counts.
bool speaks(const Slot* slot) { return slot != nullptr && !slot->forgotten && !slot->abandoned; }

// What waits starts where a slot is free, in its order. Two attempts of a job never train at once:
// the older one's thread is about to keep what the newer goes on from.
void fill_slots(WorkerState& state) {
  if (state.waiting.empty()) return;
  if (const auto reason = too_late_to_begin(state)) return hand_back_waiting(state, *reason);
  for (Slot& slot : state.slots) {
    if (state.waiting.empty()) return;
    if (slot.running) continue;
    const auto next = state.waiting.take_first(
        [&](const wire::Assign& waiting) { return !has_thread(state, waiting.job); });
    if (!next) return;
    start(state, slot, *next);
  }
}

// The older attempts of its job are over. The newer takes the place of one that waited, and goes
// before all others if one trains.
void queue(WorkerState& state, const wire::Assign& message) {
  for (Slot& slot : state.slots) {
    if (slot.running && slot.running->job == message.job && !slot.forgotten) give_up(state, slot);
  }
  const auto oldest = [&] { return state.reports.lower_bound({message.job, 0}); };
  for (auto it = oldest(); it != state.reports.end() && it->first.job == message.job; it = oldest())
    forget_attempt(state, AttemptKey(it->first));
  if (const wire::Assign* waiting = state.waiting.of(message.job)) {
    forget_attempt(state, key_of(*waiting));
    return state.waiting.replace(message);
  }
  if (has_thread(state, message.job)) return state.waiting.push_front(message);
  state.waiting.push_back(message);
}

// Whether it would wait behind all that may wait. A newer attempt of a job that is here takes the
// older one's place.
bool is_full(const WorkerState& state, JobId job) {
  return state.waiting.size() >= state.options.most_waiting && state.waiting.of(job) == nullptr &&
         !has_thread(state, job);
}

// The slot's thread is idle again.
void vacate(WorkerState& state, Slot& slot) {
  slot = Slot{};
  fill_slots(state);
}

}  // namespace

void on_assign(WorkerState& state, const wire::Assign& message) {
  const AttemptKey key = key_of(message);
  if (state.ended.contains(key)) return refuse(state, message, std::string(wire::kAttemptIsOver));
  if (newest_attempt(state, key.job) >= key.attempt)
    return;  // held already, or older than what is held
  if (state.leaving) return refuse(state, message, "this worker is leaving");
  if (auto mismatch = numerics_mismatch(state.options.numerics, message.identity.numerics,
                                        message.identity.train.inexact)) {
    return refuse(state, message, std::move(*mismatch));
  }
  if (is_full(state, key.job)) {
    return refuse(state, message,
                  fmt::format("{} assignments wait here already", state.waiting.size()));
  }
  state.given.insert(key);
  queue(state, message);
  fill_slots(state);
}

void on_cancel(WorkerState& state, const wire::Cancel& message) {
  const AttemptKey key = key_of(message);
  if (const wire::Assign* waiting = state.waiting.of(key.job);
      waiting != nullptr && key_of(*waiting) == key) {
    state.waiting.remove(key.job);
  }
  Slot* slot = state.slot_of(key);
  if (slot != nullptr && !slot->forgotten) return give_up(state, *slot);
  forget_attempt(state, key);
}

void on_job_started(WorkerState& state, const worker_event::JobStarted& event) {
  Slot* slot = state.slot_of(key_of(event));
  if (slot == nullptr) return;
  slot->sign_at = state.now;
  if (!speaks(slot)) return;
  slot->started = true;
  if (state.session == Session::kJoined) state.send(wire::Started{event.job, event.attempt});
}

void on_job_progressed(WorkerState& state, const worker_event::JobProgressed& event) {
  Slot* slot = state.slot_of(key_of(event));
  if (slot == nullptr) return;
  slot->sign_at = state.now;
  slot->reached = event.iteration;
  note_phase(state, *slot, event.phase);
  if (!speaks(slot) || state.session != Session::kJoined) return;
  if (event.iteration <= slot->iteration || state.now < slot->next_progress) return;
  slot->iteration = event.iteration;
  slot->next_progress = state.now + milliseconds(state.terms.progress_ms);
  state.send(wire::Progress{event.job, event.attempt, event.iteration});
}

void on_job_measured(WorkerState& state, const worker_event::JobMeasured& event) {
  Slot* slot = state.slot_of(key_of(event));
  if (slot == nullptr) return;
  slot->sign_at = state.now;
  if (speaks(slot)) report_measured(state, key_of(event), event.point);
}

void on_job_finished(WorkerState& state, const worker_event::JobFinished& event) {
  Slot* slot = state.slot_of(key_of(event));
  if (slot == nullptr) return;
  if (speaks(slot)) report_finished(state, key_of(event), event.outcome);
  vacate(state, *slot);
}

// A refusal that is lost with its connection is made again: the coordinator sends the assignment
// again.
void on_job_refused(WorkerState& state, const worker_event::JobRefused& event) {
  const AttemptKey key = key_of(event);
  Slot* slot = state.slot_of(key);
  if (slot == nullptr) return;
  if (speaks(slot)) {
    drop_reports(state, key);
    state.given.erase(key);
    state.send(wire::Refused{event.job, event.attempt, event.reason});
  }
  vacate(state, *slot);
}

void stop_all(WorkerState& state) {
  hand_back_waiting(state, "this worker is leaving");
  for (Slot& slot : state.slots) stop(state, slot);
}

void give_all_up(WorkerState& state) {
  for (Slot& slot : state.slots) {
    if (slot.running && !slot.forgotten) give_up(state, slot);
  }
  while (!state.reports.empty()) forget_attempt(state, AttemptKey(state.reports.begin()->first));
  for (const auto& [place, waiting] : state.waiting.in_order())
    forget_attempt(state, key_of(waiting));
  state.waiting = {};
}

std::vector<wire::HeldAttempt> held_attempts(const WorkerState& state) {
  std::set<AttemptKey> held;
  for (const auto& [key, reports] : state.reports) held.insert(key);
  for (const auto& [place, waiting] : state.waiting.in_order()) held.insert(key_of(waiting));
  std::vector<wire::HeldAttempt> list;
  for (const AttemptKey& key : held) list.push_back({key.job, key.attempt});
  return list;
}

void say_what_runs(WorkerState& state) {
  for (const Slot& slot : state.slots) {
    if (slot.started && speaks(&slot))
      state.send(wire::Started{slot.running->job, slot.running->attempt});
  }
}

}  // namespace lrtune

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "worker/core/worker_state.h"

namespace lrtune {
namespace {

using std::chrono::milliseconds;

// The newest attempt of `job` that runs, waits or has reports here; 0 if none.
Attempt newest_attempt(const WorkerState& state, JobId job) {
  Attempt newest = 0;
  const auto consider = [&](const AttemptKey& key) {
    if (key.job == job) newest = std::max(newest, key.attempt);
  };
  for (const Slot& slot : state.slots) {
    if (slot.running) consider(*slot.running);
    if (slot.next) consider(key_of(*slot.next));
  }
  for (const auto& [key, reports] : state.reports) consider(key);
  return newest;
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
  state.reports[*slot.running] = Reports{};
  state.emit(worker_action::StartJob{static_cast<int>(&slot - state.slots.data()), assignment});
}

void refuse(WorkerState& state, const wire::Assign& message, std::string reason) {
  state.send(wire::Refused{message.job, message.attempt, std::move(reason)});
}

// A newer attempt takes the place of the older ones of its job. The slot where one of them still
// trains or waited, or nullptr.
Slot* supersede(WorkerState& state, JobId job) {
  Slot* place = nullptr;
  for (Slot& slot : state.slots) {
    if (slot.next && slot.next->job == job) {
      forget_attempt(state, key_of(*slot.next));
      slot.next.reset();
      place = &slot;
    }
    if (!slot.running || slot.running->job != job) continue;
    if (!slot.forgotten) give_up(state, slot);
    if (!slot.next) place = &slot;
  }
  std::vector<AttemptKey> older;
  for (const auto& [key, reports] : state.reports) {
    if (key.job == job) older.push_back(key);
  }
  for (const AttemptKey& key : older) forget_attempt(state, key);
  return place;
}

// The slot's thread is idle again; what waited for it starts.
void vacate(WorkerState& state, Slot& slot) {
  const auto next = std::exchange(slot.next, std::nullopt);
  slot = Slot{};
  if (next) start(state, slot, *next);
}

Slot* first_slot(WorkerState& state, bool (*fits)(const Slot&)) {
  const auto it = std::find_if(state.slots.begin(), state.slots.end(), fits);
  return it == state.slots.end() ? nullptr : &*it;
}

}  // namespace

void on_assign(WorkerState& state, const wire::Assign& message) {
  const AttemptKey key = key_of(message);
  if (std::find(state.ended.begin(), state.ended.end(), key) != state.ended.end()) return;
  if (newest_attempt(state, key.job) >= key.attempt)
    return;  // held already, or older than what is held
  if (state.leaving) return refuse(state, message, "this worker is leaving");
  if (auto mismatch = numerics_mismatch(state.options.numerics, message.identity.numerics,
                                        message.identity.train.inexact)) {
    return refuse(state, message, std::move(*mismatch));
  }
  if (Slot* place = supersede(state, key.job)) {
    place->next = message;
    return;
  }
  if (Slot* free = first_slot(state, [](const Slot& slot) { return !slot.running; })) {
    return start(state, *free, message);
  }
  // The coordinator counts a slot as free from its CANCEL on; the thread needs until its next
  // iteration.
  if (Slot* soon =
          first_slot(state, [](const Slot& slot) { return slot.forgotten && !slot.next; })) {
    soon->next = message;
    return;
  }
  refuse(state, message, "no slot is free");
}

void on_cancel(WorkerState& state, const wire::Cancel& message) {
  const AttemptKey key = key_of(message);
  for (Slot& slot : state.slots) {
    if (slot.next && key_of(*slot.next) == key) slot.next.reset();
  }
  Slot* slot = state.slot_of(key);
  if (slot != nullptr && !slot->forgotten) return give_up(state, *slot);
  forget_attempt(state, key);
}

void on_job_started(WorkerState& state, const worker_event::JobStarted& event) {
  Slot* slot = state.slot_of(key_of(event));
  if (slot == nullptr || slot->forgotten) return;
  slot->started = true;
  if (state.session == Session::kJoined) state.send(wire::Started{event.job, event.attempt});
}

void on_job_progressed(WorkerState& state, const worker_event::JobProgressed& event) {
  Slot* slot = state.slot_of(key_of(event));
  if (slot == nullptr || slot->forgotten || state.session != Session::kJoined) return;
  if (event.iteration <= slot->iteration || state.now < slot->next_progress) return;
  slot->iteration = event.iteration;
  slot->next_progress = state.now + milliseconds(state.terms.progress_ms);
  state.send(wire::Progress{event.job, event.attempt, event.iteration});
}

void on_job_measured(WorkerState& state, const worker_event::JobMeasured& event) {
  const Slot* slot = state.slot_of(key_of(event));
  if (slot == nullptr || slot->forgotten) return;
  report_measured(state, key_of(event), event.point);
}

void on_job_finished(WorkerState& state, const worker_event::JobFinished& event) {
  Slot* slot = state.slot_of(key_of(event));
  if (slot == nullptr) return;
  if (!slot->forgotten) report_finished(state, key_of(event), event.outcome);
  vacate(state, *slot);
}

// A refusal that is lost with its connection is made again: the coordinator sends the assignment
// again.
void on_job_refused(WorkerState& state, const worker_event::JobRefused& event) {
  const AttemptKey key = key_of(event);
  Slot* slot = state.slot_of(key);
  if (slot == nullptr) return;
  if (!slot->forgotten) {
    state.reports.erase(key);
    state.send(wire::Refused{event.job, event.attempt, event.reason});
  }
  vacate(state, *slot);
}

void stop_all(WorkerState& state) {
  for (Slot& slot : state.slots) {
    if (slot.next) refuse(state, *slot.next, "this worker is leaving");
    slot.next.reset();
    stop(state, slot);
  }
}

std::vector<wire::HeldAttempt> held_attempts(const WorkerState& state) {
  std::set<AttemptKey> held;
  for (const auto& [key, reports] : state.reports) held.insert(key);
  for (const Slot& slot : state.slots) {
    if (slot.next) held.insert(key_of(*slot.next));
  }
  std::vector<wire::HeldAttempt> list;
  for (const AttemptKey& key : held) list.push_back({key.job, key.attempt});
  return list;
}

void say_what_runs(WorkerState& state) {
  for (const Slot& slot : state.slots) {
    if (slot.started && !slot.forgotten)
      state.send(wire::Started{slot.running->job, slot.running->attempt});
  }
}

}  // namespace lrtune

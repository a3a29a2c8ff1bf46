#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "worker/core/worker_state.h"

namespace lrtune {
namespace {

using std::chrono::milliseconds;

void say_hello(WorkerState& state) {
  state.next_hello = state.now + state.options.hello_every;
  state.send(wire::Hello{state.options.name, state.options.process,
                         static_cast<int>(state.slots.size()), state.options.numerics,
                         held_attempts(state)});
}

void exit_with(WorkerState& state, int code, std::string reason) {
  const bool threads_hang = std::any_of(state.slots.begin(), state.slots.end(),
                                        [](const Slot& slot) { return slot.abandoned; });
  state.session = Session::kOver;
  // Nobody can interrupt a survey, and nobody needs it now.
  state.emit(worker_action::Exit{code, std::move(reason), threads_hang || !state.surveys.empty()});
}

WorkerTime silence_deadline(const WorkerState& state) {
  return state.last_heard + milliseconds(state.terms.lease_ms);
}

// The numbers of what is here mean something else to the coordinator: nothing of it is reported.
void forget_other_history(WorkerState& state) {
  const bool holds = !held_attempts(state).empty();
  give_all_up(state);
  state.given.clear();
  state.ended.clear();
  state.ended_in_order.clear();
  // It may have taken some of what this worker said that it holds for its own.
  if (holds && !state.leaving) say_hello(state);
}

bool trains(const WorkerState& state) {
  return std::any_of(state.slots.begin(), state.slots.end(),
                     [](const Slot& slot) { return slot.running && !slot.abandoned; });
}

}  // namespace

void on_welcome(WorkerState& state, const wire::Welcome& message) {
  const auto before = wire::history_of(state.terms.incarnation);
  const auto now = wire::history_of(message.incarnation);
  const bool another = !before.empty() && !now.empty() && before != now;
  const bool again =
      state.session == Session::kJoined && message.incarnation == state.terms.incarnation;
  if (another) forget_other_history(state);
  state.terms = message;
  state.welcomed = true;
  if (again) return;  // the answer to a HELLO that was sent twice
  state.session = Session::kJoined;
  state.next_heartbeat = state.now + milliseconds(message.heartbeat_ms);
  say_what_runs(state);
  send_all_reports(state);
}

void on_introduce(WorkerState& state) {
  if (state.session == Session::kJoining) return;  // a HELLO is on its way, and will be repeated
  state.session = Session::kJoining;
  say_hello(state);
}

// A worker that is banned while it trains stops its threads first, and gives up those that hang.
void on_rejected(WorkerState& state, const wire::Rejected& message) {
  begin_leaving(state, "the coordinator does not accept this worker: " + message.reason,
                kExitNotWanted);
  give_all_up(state);  // nobody will acknowledge what they report
}

void on_connected(WorkerState& state) {
  state.session = Session::kJoining;
  say_hello(state);
}

void keep_session(WorkerState& state) {
  if (const auto time = time_to_leave(state); time && state.now >= *time) {
    begin_leaving(state, fmt::format("its walltime of {} s is nearly over",
                                     state.options.walltime->count() / 1000));
  }
  if (state.session == Session::kJoined && state.now >= silence_deadline(state)) {
    state.session = Session::kJoining;
    state.next_hello = state.now;
  }
  if (state.session == Session::kJoining) {
    const auto patience = state.options.give_up_after;
    if (patience && !state.welcomed && state.now >= state.born + *patience) {
      stop_all(state);
      return exit_with(state, kExitNotWanted,
                       fmt::format("no coordinator answered for {} ms", patience->count()));
    }
    if (state.now >= state.next_hello) say_hello(state);
  }
  if (state.session == Session::kJoined && state.now >= state.next_heartbeat) {
    state.next_heartbeat = state.now + milliseconds(state.terms.heartbeat_ms);
    state.send(wire::Heartbeat{});
  }
}

std::optional<WorkerTime> session_deadline(const WorkerState& state) {
  std::optional<WorkerTime> deadline;
  const auto consider = [&](WorkerTime time) {
    deadline = std::min(deadline.value_or(time), time);
  };
  if (state.session == Session::kJoined) {
    consider(state.next_heartbeat);
    consider(silence_deadline(state));
  }
  if (state.session == Session::kJoining) {
    consider(state.next_hello);
    if (state.options.give_up_after && !state.welcomed) {
      consider(state.born + *state.options.give_up_after);
    }
  }
  if (state.session == Session::kOver) return deadline;
  if (state.leaving && state.leaving->give_up_at) consider(*state.leaving->give_up_at);
  if (const auto time = time_to_leave(state); time && !state.leaving) consider(*time);
  return deadline;
}

void begin_leaving(WorkerState& state, const std::string& reason, int code) {
  if (state.leaving) return;
  state.leaving = Leaving{reason, code, state.now, std::nullopt};
  stop_all(state);
}

// Reports of stopped attempts are worth a short wait: with them the coordinator gives the jobs away
// at once instead of after a lease.
void leave_if_done(WorkerState& state) {
  if (!state.leaving || state.session == Session::kOver || trains(state)) return;
  auto& give_up_at = state.leaving->give_up_at;
  if (!give_up_at) give_up_at = state.now + state.options.leave_within;
  const bool nobody_to_tell = !state.welcomed || state.now >= *give_up_at;
  if (!state.reports.empty() && !nobody_to_tell) return;
  if (state.welcomed) state.send(wire::Goodbye{});
  exit_with(state, state.leaving->code, state.leaving->reason);
}

// GOODBYE gives the jobs back; what they have not kept so far is trained again.
void leave_at_once(WorkerState& state, const std::string& reason) {
  begin_leaving(state, reason);
  for (Slot& slot : state.slots) slot.abandoned = slot.running.has_value();
  if (state.welcomed) state.send(wire::Goodbye{});
  exit_with(state, state.leaving->code, reason + ": it leaves without checkpoints");
}

}  // namespace lrtune

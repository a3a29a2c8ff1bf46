#include <fmt/format.h>

#include <algorithm>

#include "coordinator/core/core_state.h"

namespace lrtune {
namespace {

constexpr int kHeartbeatsToComeBack = 2;

wire::Welcome welcome(const CoreOptions& options) {
  return {options.incarnation, options.heartbeat.count(), options.lease.count(),
          options.progress.count()};
}

// A restarted coordinator may have filled the slot of a job that comes back later. What has not
// started then goes back to the queue, rather than what has.
bool make_room(CoreState& state, Worker& worker) {
  if (worker.has_room()) return true;
  for (const JobId id : worker.jobs) {
    Job& other = state.jobs.at(id);
    if (other.record.state != JobState::kAssigned) continue;
    state.send(worker.peer, wire::Cancel{id, other.record.attempt, "its slot is taken"});
    requeue(state, other, fmt::format("worker {} has another job in its slot", worker.name),
            AttemptEnd::kReturned);
    return true;
  }
  return false;
}

// The worker holds an attempt that this coordinator knows as current but saw no worker of since its
// restart.
void adopt(CoreState& state, Worker& worker, Job& job) {
  forget_orphan(state, job);
  job.holder = worker.peer;
  worker.jobs.insert(job.record.id);
  worker.reserved = worker.reserved || job.suspect();
  job.deadline = state.now.steady + state.options.lease;
  note_room(state, worker);
  state.decide(job, "adopted", {{"worker", worker.name}, {"attempt", job.record.attempt}});
}

// What an earlier coordinator sent ahead of the worker's slots: it may keep it.
int held_ahead(const CoreState& state, const Worker& worker,
               const std::vector<wire::HeldAttempt>& held) {
  const auto orphans = std::count_if(held.begin(), held.end(), [&](const wire::HeldAttempt& one) {
    return state.orphans.contains(one.job);
  });
  return std::clamp(static_cast<int>(orphans) - worker.slots, 0, kMostAhead);
}

void compare_held(CoreState& state, Worker& worker, const std::vector<wire::HeldAttempt>& held) {
  for (const wire::HeldAttempt& attempt : held) {
    const auto it = state.jobs.find(attempt.job);
    const bool current = it != state.jobs.end() && it->second.record.attempt == attempt.attempt;
    // Of an ended job it holds reports whose acknowledgement was lost: they come, and are
    // acknowledged again.
    if (current && it->second.ended()) continue;
    if (current && is_held_by(state, worker, it->second)) continue;
    state.send(worker.peer,
               wire::Cancel{attempt.job, attempt.attempt, "this attempt was given up"});
  }
}

// What it had when the coordinator was started, and has not now, never reached it, or its process
// is another one: nobody trains that, unless a second process of that name does. That one comes
// within the longest pause between two attempts to connect.
void wait_less_for_missing(CoreState& state, const Worker& worker) {
  const auto found = state.orphans_of.find(worker.name);
  if (found == state.orphans_of.end()) return;
  const SteadyTime soon = state.now.steady + kHeartbeatsToComeBack * state.options.heartbeat;
  for (const JobId id : found->second) {
    Job& job = state.jobs.at(id);
    job.deadline = std::min(job.deadline, soon);
  }
}

std::string ban_words(const WorkerOrderRecord& order) {
  return order.reason.empty() ? fmt::format("worker {} is banned", order.worker)
                              : fmt::format("worker {} is banned: {}", order.worker, order.reason);
}

// What the worker did when it died: what runs, and what may have begun without a word of it yet.
// What may never have reached it, or waited for a slot, did not kill it.
std::set<JobId> may_have_killed(const CoreState& state, const Worker& worker, Departure how) {
  std::set<JobId> blamed;
  for (const JobId id : worker.jobs) {
    if (state.jobs.at(id).record.state == JobState::kRunning) blamed.insert(id);
  }
  if (how == Departure::kUnsent) return blamed;
  for (const JobId id : worker.jobs) {
    if (static_cast<int>(blamed.size()) < worker.slots) blamed.insert(id);
  }
  return blamed;
}

bool holds(const std::vector<wire::HeldAttempt>& held, const Job& job) {
  return std::any_of(held.begin(), held.end(), [&](const wire::HeldAttempt& attempt) {
    return attempt.job == job.record.id && attempt.attempt == job.record.attempt;
  });
}

}  // namespace

bool is_held_by(CoreState& state, Worker& worker, Job& job) {
  if (job.held() && job.holder == worker.peer) return true;
  // Nobody else was given it by this store: a worker that says so has it of a store that this one
  // was put in the place of, and trains something else.
  if (!state.orphans.contains(job.record.id) || job.record.worker != worker.name) return false;
  if (make_room(state, worker)) {
    adopt(state, worker, job);
    return true;
  }
  requeue(state, job, fmt::format("worker {} has no slot left for it", worker.name),
          AttemptEnd::kReturned);
  return false;
}

void on_hello(CoreState& state, const PeerId& peer, const wire::Hello& hello) {
  if (hello.slots < 1) {
    state.send(peer,
               wire::Rejected{fmt::format("a worker has at least 1 slot, not {}", hello.slots)});
    return;
  }
  const auto order = state.orders.find(hello.worker);
  if (order != state.orders.end() && order->second.order == WorkerOrder::kBan) {
    state.send(peer, wire::Rejected{ban_words(order->second)});
    return;
  }
  const bool known = state.workers.contains(peer);
  Worker& worker = state.workers[peer];
  if (!known) worker.joined_at = state.now.steady;
  worker.draining = order != state.orders.end();
  worker.peer = peer;
  worker.name = hello.worker;
  worker.process = hello.process;
  worker.slots = hello.slots;
  worker.numerics = hello.numerics;
  worker.last_heard = state.now.steady;
  state.send(peer, welcome(state.options));
  if (state.stopping) state.send(peer, wire::Shutdown{state.stop_reason});
  worker.window = std::max(worker.window, held_ahead(state, worker, hello.held));
  compare_held(state, worker, hello.held);
  wait_less_for_missing(state, worker);
  note_room(state, worker);
  state.survey_wanted = true;
  worker.dismissed = false;  // what it was told may be lost with its connection
  dismiss_if_drained(state, worker);
  if (!known) return;
  for (const JobId id : worker.jobs) {  // an assignment that was lost with a connection
    Job& job = state.jobs.at(id);
    if (holds(hello.held, job)) continue;
    ++state.out.facts.assignments_repeated;
    send_assignment(state, job);
  }
}

void lose_worker(CoreState& state, const PeerId& peer, const std::string& reason, Departure how) {
  // It is off all lists before its work goes to others: nothing is for it any more.
  const auto node = state.workers.extract(peer);
  if (node.empty()) return;
  const Worker& worker = node.mapped();
  const PeerId gone = worker.peer;  // `peer` may be a part of what is emptied here
  state.with_room.erase(gone);
  state.freed.erase(gone);
  const std::string why = fmt::format("worker {}: {}", worker.name, reason);
  state.out.facts.departed.push_back({worker.name, reason, how == Departure::kInOrder});
  const std::set<JobId> blamed =
      how == Departure::kInOrder ? std::set<JobId>{} : may_have_killed(state, worker, how);
  const bool alone = blamed.size() + worker.surveys.size() == 1;
  const AttemptEnd died = alone ? AttemptEnd::kDiedAlone : AttemptEnd::kDiedInCompany;
  for (const JobId id : worker.jobs) {
    requeue(state, state.jobs.at(id), why, blamed.contains(id) ? died : AttemptEnd::kReturned);
  }
  state.survey_wanted = true;
  lose_surveys(state, gone, why, how == Departure::kDied ? died : AttemptEnd::kReturned);
}

void dismiss_if_drained(CoreState& state, Worker& worker) {
  if (!worker.draining || worker.dismissed || !worker.idle()) return;
  worker.dismissed = true;
  state.send(worker.peer, wire::Shutdown{"it was drained"});
}

void shut_down_workers(CoreState& state) {
  for (const auto& [peer, worker] : state.workers)
    state.send(peer, wire::Shutdown{state.stop_reason});
}

void scan_deadlines(CoreState& state) {
  const SteadyTime now = state.now.steady;
  state.last_scan = now;
  std::vector<PeerId> lost;
  for (const auto& [peer, worker] : state.workers) {
    if (now - worker.last_heard >= state.options.lease) lost.push_back(peer);
  }
  const double lease_seconds = std::chrono::duration<double>(state.options.lease).count();
  for (const PeerId& peer : lost) {
    lose_worker(state, peer,
                fmt::format("no sign of life for {} s, its lease is over", lease_seconds),
                Departure::kDied);
  }
  // A refusal, or a survey's answer, may be overdue.
  state.survey_wanted = true;
  state.work_added = state.work_added || !state.queued.empty();
  const std::set<JobId> held = state.held;
  for (const JobId id : held) {
    Job& job = state.jobs.at(id);
    if (now < job.deadline) continue;
    if (state.orphans.contains(id)) {
      requeue(state, job,
              fmt::format("worker {} did not come back with it after the coordinator's restart",
                          job.record.worker),
              AttemptEnd::kReturned);  // the restart may be why
    } else if (job.record.state == JobState::kAssigned) {
      ++state.out.facts.assignments_repeated;
      send_assignment(state, job);  // the first one may be lost; the worker ignores a second
    }
  }
  if (state.stopping) shut_down_workers(state);
}

}  // namespace lrtune

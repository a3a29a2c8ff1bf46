#include <fmt/format.h>

#include <algorithm>

#include "coordinator/core/core_state.h"

namespace lrtune {
namespace {

// A job that failed for want of something goes where it has not failed, if there is such a worker.
bool fits(const CoreState& state, const Worker& worker, const Job& job) {
  if (job.suspect() && !worker.idle()) return false;
  if (!job.failed_on.contains(worker.process)) return true;
  const TrainingIdentity& wanted = state.identities.at(state.first_trial(job).identity);
  return std::none_of(state.workers.begin(), state.workers.end(), [&](const auto& entry) {
    const Worker& other = entry.second;
    return !job.failed_on.contains(other.process) && offers(other.numerics, wanted);
  });
}

// The first pending job, in the order of their making, that `worker` can train. A suspect waits for
// a worker that does nothing else.
Job* first_job_for(CoreState& state, const Worker& worker) {
  Job* first = nullptr;
  for (const auto& [identity, jobs] : state.pending) {
    if (jobs.empty() || worker.refuses(identity, state.now.steady)) continue;
    if (first != nullptr && first->record.id < *jobs.begin()) continue;
    if (!offers(worker.numerics, state.identities.at(identity))) continue;
    for (const JobId id : jobs) {
      if (first != nullptr && first->record.id < id) break;
      Job& job = state.jobs.at(id);
      if (!fits(state, worker, job)) continue;
      first = &job;
      break;
    }
  }
  return first;
}

void dequeue(CoreState& state, const Job& job) {
  const auto it = state.pending.find(state.first_trial(job).identity);
  if (it == state.pending.end()) return;
  it->second.erase(job.record.id);
  if (it->second.empty()) state.pending.erase(it);
}

void set_trial_states(CoreState& state, const Job& job) {
  for (const TrialId id : job.trials) {
    TrialRecord& trial = state.trials.at(id);
    if (trial.state > TrialState::kRunning || trial.state == trial_state_of(job.record.state))
      continue;
    trial.state = trial_state_of(job.record.state);
    state.write(trial);
  }
}

void assign(CoreState& state, Job& job, Worker& worker) {
  dequeue(state, job);
  job.record.state = JobState::kAssigned;
  ++job.record.attempt;
  job.record.worker = worker.name;
  job.holder = worker.peer;
  job.iteration = 0;
  job.points.clear();
  worker.jobs.insert(job.record.id);
  worker.reserved = job.suspect();
  state.held.insert(job.record.id);
  state.write(job.record);
  set_trial_states(state, job);
  state.decide(job, "assigned", {{"worker", worker.name}, {"attempt", job.record.attempt}});
  send_assignment(state, job);
}

void ask_surveys(CoreState& state, Campaign& campaign) {
  for (auto& [key, need] : campaign.surveys) {
    const bool waiting =
        !need.asked.empty() && state.now.steady - need.asked_at < 3 * state.options.lease;
    if (need.facts || waiting) continue;
    release_survey(state, need);
    for (auto& [peer, worker] : state.workers) {
      if (!can_survey(worker.numerics, need.train, campaign.numerics)) continue;
      if (need.failed_on.contains(worker.process)) continue;
      if (worker.reserved || (need.deaths > 0 && !worker.idle())) continue;
      need.asked = peer;
      need.asked_at = state.now.steady;
      worker.surveys.insert(need.id);
      worker.reserved = need.deaths > 0;
      state.send(peer, wire::Survey{need.id, need.train});
      break;
    }
  }
}

}  // namespace

bool offers(const Numerics& offered, const TrainingIdentity& wanted) {
  return !numerics_mismatch(offered, wanted.numerics, wanted.train.inexact);
}

bool can_survey(const Numerics& offered, const TrainSpec& train,
                const std::optional<Numerics>& fixed) {
  if (fixed) {
    Numerics wanted = *fixed;
    wanted.threads = train.threads;
    return !numerics_mismatch(offered, wanted, train.inexact);
  }
  return offered.device == train.device && offered.threads >= train.threads;
}

void enqueue(CoreState& state, Job& job) {
  state.pending[state.first_trial(job).identity].insert(job.record.id);
}

void send_assignment(CoreState& state, Job& job) {
  const TrialRecord& trial = state.first_trial(job);
  job.deadline = state.now.steady + state.options.lease;
  state.send(job.holder,
             wire::Assign{job.record.id, job.record.attempt, state.identities.at(trial.identity),
                          trial.policy, trial.seed, trial.plan});
}

void schedule(CoreState& state) {
  if (state.stopping) return;
  for (auto& [id, campaign] : state.campaigns) {
    if (campaign.active && campaign.record.state == CampaignState::kSurveying)
      ask_surveys(state, campaign);
  }
  for (auto& [peer, worker] : state.workers) {
    if (state.pending.empty()) return;
    while (worker.free()) {
      Job* job = first_job_for(state, worker);
      if (job == nullptr) break;
      assign(state, *job, worker);
    }
  }
}

void requeue(CoreState& state, Job& job, const std::string& reason, AttemptEnd end) {
  release(state, job);
  job.record.worker.clear();
  // In company the last word is not spoken: the job gets an attempt alone.
  const int most = end == AttemptEnd::kDiedAlone ? state.options.max_deaths
                                                 : std::max(1, state.options.max_deaths - 1);
  if (end != AttemptEnd::kReturned && job.record.deaths < most) ++job.record.deaths;
  const nlohmann::json numbers = {{"reason", reason},
                                  {"attempt", job.record.attempt},
                                  {"iteration", job.iteration},
                                  {"deaths", job.record.deaths}};
  if (end == AttemptEnd::kDiedAlone && job.record.deaths >= state.options.max_deaths) {
    state.decide(job, "poisoned", numbers);
    Outcome outcome;
    outcome.kind = OutcomeKind::kFailed;
    outcome.iteration = job.iteration;
    outcome.message = fmt::format(
        "poisonous: {} attempts ended with their worker's death or for want of "
        "something there; the last: {}",
        job.record.deaths, reason);
    end_job(state, job, std::move(outcome));
    return;
  }
  job.record.state = JobState::kPending;
  job.iteration = 0;
  state.write(job.record);
  set_trial_states(state, job);
  state.decide(job, "requeued", numbers);
  if (state.needed(job)) enqueue(state, job);
}

}  // namespace lrtune

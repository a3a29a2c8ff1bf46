#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coordinator/core/core_state.h"

namespace lrtune {
namespace {

constexpr double kSmoothing = 0.1;  // share of the newest value in a smoothed one

double smoothed(double known, double newest) {
  return known == 0 ? newest : known + kSmoothing * (newest - known);
}

double seconds(SteadyTime::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

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

// The campaign's first pending job, in the order of their making, that `worker` can train. A
// suspect waits for a worker that does nothing else.
Job* first_job_of(CoreState& state, const Campaign& campaign, const Worker& worker) {
  Job* first = nullptr;
  for (const auto& [identity, jobs] : campaign.queue) {
    if (worker.refuses(identity, state.now.steady)) continue;
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

// Higher priority first; among equals whoever has the fewest slots.
std::vector<const Campaign*> by_priority(const CoreState& state) {
  std::vector<const Campaign*> campaigns;
  for (const CampaignId id : state.queued) campaigns.push_back(&state.campaigns.at(id));
  std::stable_sort(campaigns.begin(), campaigns.end(), [](const Campaign* a, const Campaign* b) {
    return std::pair(-a->record.priority, a->running) < std::pair(-b->record.priority, b->running);
  });
  return campaigns;
}

Job* first_job_for(CoreState& state, const Worker& worker) {
  for (const Campaign* campaign : by_priority(state)) {
    if (Job* job = first_job_of(state, *campaign, worker)) return job;
  }
  return nullptr;
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
  job.ahead = !worker.has_slot();
  job.record.state = JobState::kAssigned;
  ++job.record.attempt;
  job.gap_since.reset();
  job.record.worker = worker.name;
  job.holder = worker.peer;
  job.iteration = 0;
  job.started_at = state.now.steady;
  job.points.clear();
  worker.jobs.insert(job.record.id);
  worker.reserved = job.suspect();
  state.held.insert(job.record.id);
  count_running(state, job, +1);
  note_room(state, worker);
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
      if (!worker.takes_work() || (need.deaths > 0 && !worker.idle())) continue;
      need.asked = peer;
      need.asked_at = state.now.steady;
      worker.surveys.insert(need.id);
      worker.reserved = need.deaths > 0;
      note_room(state, worker);
      state.send(peer, wire::Survey{need.id, need.train});
      break;
    }
  }
}

// Jobs for `worker` until it has no room, beyond its slots only if `ahead`, or nothing fits.
void fill(CoreState& state, Worker& worker, bool ahead) {
  while (!state.queued.empty() && worker.takes_work() &&
         (ahead ? worker.has_room() : worker.has_slot())) {
    Job* job = first_job_for(state, worker);
    if (job == nullptr) return;
    assign(state, *job, worker);
  }
}

// Slots that stand free come before work ahead of any of them.
void fill_all(CoreState& state, const std::set<PeerId>& peers) {
  for (const bool ahead : {false, true}) {
    for (auto it = peers.begin(); it != peers.end() && !state.queued.empty();) {
      const PeerId& peer = *it++;  // an assignment may take the worker off the list
      fill(state, state.workers.at(peer), ahead);
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

// What it goes on from comes first.
void enqueue(CoreState& state, Job& job) {
  Job* first = &job;
  while (!is_ready(state, *first)) first = &state.jobs.at(first->record.after);
  if (first->record.state != JobState::kPending) return;
  const Digest& identity = state.first_trial(*first).identity;
  for (Campaign* campaign : state.campaigns_wanting(*first)) {
    campaign->queue[identity].insert(first->record.id);
    state.queued.insert(campaign->record.id);
    state.work_added = true;
  }
}

void dequeue(CoreState& state, const Job& job) {
  for (Campaign* campaign : state.campaigns_of(job)) {
    const auto it = campaign->queue.find(state.first_trial(job).identity);
    if (it == campaign->queue.end()) continue;
    it->second.erase(job.record.id);
    if (it->second.empty()) campaign->queue.erase(it);
    if (campaign->queue.empty()) state.queued.erase(campaign->record.id);
  }
}

void dequeue_all(CoreState& state, Campaign& campaign) {
  campaign.queue.clear();
  state.queued.erase(campaign.record.id);
}

void count_running(CoreState& state, const Job& job, int sign) {
  for (Campaign* campaign : state.campaigns_of(job)) campaign->running += sign;
}

void note_room(CoreState& state, const Worker& worker) {
  if (worker.takes_work() && worker.has_room()) {
    state.with_room.insert(worker.peer);
    state.freed.insert(worker.peer);
  } else {
    state.with_room.erase(worker.peer);
    state.freed.erase(worker.peer);
  }
}

void note_round_trip(CoreState& state, Worker& worker, const Job& job) {
  if (job.ahead) return;  // it waited for a slot
  worker.round_trip = smoothed(worker.round_trip, seconds(state.now.steady - job.assigned_at));
}

// The window covers twice the time from an assignment to its start, in jobs of the worker's pace.
void note_end(CoreState& state, Worker& worker, const Job& job) {
  constexpr double kShortest = 1e-6;
  const double length = std::max(seconds(state.now.steady - job.started_at), kShortest);
  worker.job_seconds = smoothed(worker.job_seconds, length);
  const double ahead = worker.slots * 2 * worker.round_trip / worker.job_seconds;
  worker.window = static_cast<int>(std::min<double>(std::floor(ahead), kMostAhead));
  note_room(state, worker);
}

void send_assignment(CoreState& state, Job& job) {
  const TrialRecord& trial = state.first_trial(job);
  job.assigned_at = state.now.steady;
  job.deadline = state.now.steady + state.options.lease;
  wire::Assign assignment{job.record.id, job.record.attempt, state.identities.at(trial.identity),
                          trial.policy,  trial.seed,         trial.plan};
  assignment.plan.iterations = job.record.iterations;
  state.send(job.holder, std::move(assignment));
}

void schedule(CoreState& state) {
  if (state.stopping) return;
  if (std::exchange(state.survey_wanted, false)) {
    for (auto& [id, campaign] : state.campaigns) {
      if (campaign.active && !campaign.record.paused &&
          campaign.record.state == CampaignState::kSurveying)
        ask_surveys(state, campaign);
    }
  }
  if (!state.seeking.empty()) seek(state);
  const std::set<PeerId> freed = std::exchange(state.freed, {});
  if (std::exchange(state.work_added, false)) {
    fill_all(state, state.with_room);
  } else {
    fill_all(state, freed);
  }
  state.freed.clear();  // assignments are no news
}

void requeue(CoreState& state, Job& job, const std::string& reason, AttemptEnd end) {
  release(state, job);
  job.record.worker.clear();
  // In company the last word is not spoken: the job gets an attempt alone.
  const int most = end == AttemptEnd::kDiedAlone ? state.options.max_deaths
                                                 : std::max(1, state.options.max_deaths - 1);
  if (end != AttemptEnd::kReturned && job.record.deaths < most) ++job.record.deaths;
  const FlatJson numbers = {{"reason", reason},
                            {"attempt", job.record.attempt},
                            {"iteration", job.iteration},
                            {"deaths", job.record.deaths},
                            {"waits", state.needed(job)}};
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

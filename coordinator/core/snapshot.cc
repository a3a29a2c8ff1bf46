#include "coordinator/core/snapshot.h"

#include <fmt/format.h>

#include <algorithm>

#include "coordinator/core/core_state.h"
#include "coordinator/search/search.h"

namespace lrtune {
namespace {

std::string survey_waits_for(const CoreState& state, const Campaign& campaign) {
  for (const auto& survey : campaign.surveys) {
    const auto& need = survey.second;  // clang 14 captures no structured binding
    if (need.facts || !need.asked.empty()) continue;
    const bool anybody =
        std::any_of(state.workers.begin(), state.workers.end(), [&](const auto& entry) {
          return can_survey(entry.second.numerics, need.train, campaign.numerics);
        });
    if (!anybody) {
      return fmt::format("no worker offers device {} with {} thread{} per slot", need.train.device,
                         need.train.threads, need.train.threads == 1 ? "" : "s");
    }
  }
  return {};
}

// Why nothing runs although something is there to be run; empty if all is well.
std::string waits_for(const CoreState& state, const Campaign& campaign) {
  if (campaign.record.state >= CampaignState::kDone || state.stopping) return {};
  if (campaign.record.paused) return "it is paused";
  if (state.workers.empty()) return "no worker is connected";
  if (campaign.record.state == CampaignState::kSurveying) return survey_waits_for(state, campaign);
  if (!state.held.empty()) return {};
  for (const auto& [identity, jobs] : campaign.queue) {
    const TrainingIdentity& wanted = state.identities.at(identity);
    std::string refusal;
    for (const auto& [peer, worker] : state.workers) {
      if (!offers(worker.numerics, wanted)) continue;
      if (!worker.refuses(identity, state.now.steady)) return {};
      refusal = worker.refused.at(identity).reason;
    }
    if (!refusal.empty()) return "every worker that could train it refuses: " + refusal;
    return fmt::format("no worker offers {}, which the campaign was made with",
                       words(wanted.numerics));
  }
  return {};
}

}  // namespace

// A verification repeats the policy of a search trial, and bears its name.
std::string policy_words(const CoreState& state, const TrialRecord& trial) {
  const TrialRecord& first = trial.verifies ? state.trials.at(trial.verifies) : trial;
  const Campaign& campaign = state.campaigns.at(trial.campaign);
  const auto place =
      std::lower_bound(campaign.candidates.begin(), campaign.candidates.end(), first.id);
  const auto index = static_cast<std::int64_t>(place - campaign.candidates.begin());
  return named(candidate_name(campaign.experiment, index), describe(trial.policy));
}

RunningTrial running_trial(const CoreState& state, const Job& job, const TrialRecord& trial) {
  RunningTrial running;
  running.trial = trial.id;
  running.number = trial.number;
  running.policy = policy_words(state, trial);
  if (job.trials.empty()) running.policy = "beginning of several: " + running.policy;
  running.worker = job.record.worker;
  running.attempt = job.record.attempt;
  running.iteration = job.iteration;
  running.iterations = job.record.iterations;
  if (!job.points.empty()) running.top1 = job.points.back().evaluated.top1;
  return running;
}

CampaignView view(const CoreState& state, const Campaign& campaign) {
  CampaignView view;
  view.id = campaign.record.id;
  view.name = campaign.record.name;
  view.state = campaign.record.state;
  view.failure = campaign.record.failure;
  view.paused = campaign.record.paused;
  view.trials = static_cast<std::int64_t>(campaign.trials.size());
  view.done = static_cast<std::int64_t>(campaign.trials.size()) - campaign.open;
  view.diverged = campaign.diverged;
  view.failed = campaign.failed;
  view.reused = campaign.reused;
  view.iterations_done = campaign.iterations_ended;
  view.iterations_total = campaign.iterations_total;
  view.iterations_asked = campaign.iterations_asked;
  const bool searches = campaign.search && view.state == CampaignState::kSearching;
  const SearchExtent most = searches ? most_of(campaign.search->decides.plan()) : SearchExtent{};
  view.trials_most = std::max(view.trials, most.candidates);
  view.iterations_most = std::max(view.iterations_total, most.iterations);
  view.best_top1 = campaign.best_top1;
  view.best_trial = campaign.best_trial;
  view.waiting_for = waits_for(state, campaign);
  return view;
}

namespace {

// A trial that is not open has ended, and its campaign counts it; those that run are found at the
// jobs that are held.
WorkCounts count_work(const CoreState& state) {
  WorkCounts counts;
  std::int64_t open = 0;
  for (const auto& [id, campaign] : state.campaigns) {
    ++counts.campaigns[campaign.record.state];
    for (const auto& [identity, jobs] : campaign.queue) {
      counts.queued_jobs += static_cast<std::int64_t>(jobs.size());
    }
    open += campaign.open;
    counts.trials[TrialState::kDone] += campaign.done;
    counts.trials[TrialState::kDiverged] += campaign.diverged;
    counts.trials[TrialState::kFailed] += campaign.failed;
    counts.trials[TrialState::kCancelled] += campaign.cancelled;
    counts.trials[TrialState::kStopped] += campaign.stopped;
  }
  std::int64_t& running = counts.trials[TrialState::kRunning];
  for (const JobId id : state.held) {
    for (const TrialId trial : state.jobs.at(id).trials) {
      if (state.trials.at(trial).state == TrialState::kRunning) ++running;
    }
  }
  counts.trials[TrialState::kWaiting] = open - running;
  return counts;
}

}  // namespace

WorkIds Core::work_of(TrialId trial) const {
  const auto known = state_->trials.find(trial);
  if (known == state_->trials.end()) return {};
  const JobId job = known->second.job;
  return {known->second.campaign, trial, job, state_->jobs.at(job).record.attempt};
}

WorkIds Core::work_of(JobId job) const {
  const auto known = state_->jobs.find(job);
  if (known == state_->jobs.end() || known->second.uses.empty()) return {};
  const Job& work = known->second;
  const TrialRecord& trial = state_->first_trial(work);
  return {trial.campaign, trial.id, job, work.record.attempt};
}

Snapshot Core::snapshot() const {
  const CoreState& state = *state_;
  Snapshot snapshot;
  std::map<CampaignId, CampaignView> views;
  for (const auto& [id, campaign] : state.campaigns) {
    if (campaign.active) views.emplace(id, view(state, campaign));
  }
  for (const JobId id : state.held) {
    const Job& job = state.jobs.at(id);
    for (const JobUse& use : job.uses) {
      const auto it = views.find(use.campaign);
      if (it != views.end()) it->second.iterations_done += job.own_iterations_done();
    }
    for (const TrialId trial_id : shown_trials(state, job)) {
      const TrialRecord& trial = state.trials.at(trial_id);
      const auto it = views.find(trial.campaign);
      if (it == views.end()) continue;
      if (state.orphans.contains(id)) continue;
      if (it->second.running.size() < kRunningListed) {
        it->second.running.push_back(running_trial(state, job, trial));
      } else {
        ++it->second.more_running;
      }
    }
  }
  for (auto& [id, one] : views) snapshot.campaigns.push_back(std::move(one));
  snapshot.counts = count_work(state);
  snapshot.workers = static_cast<int>(state.workers.size());
  for (const auto& [peer, worker] : state.workers) {
    snapshot.slots += worker.slots;
    snapshot.busy_slots += std::min(worker.slots, static_cast<int>(worker.jobs.size()));
  }
  snapshot.stopping = state.stopping;
  snapshot.stopped = state.stopping && state.workers.empty();
  return snapshot;
}

}  // namespace lrtune

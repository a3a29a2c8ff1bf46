#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "coordinator/core/core_state.h"

namespace lrtune {
namespace {

// The text is made only of a broken one: the simulated cluster asks millions of times.
void require(bool holds, std::string_view thing, std::int64_t number, std::string_view what) {
  if (holds) return;
  throw std::logic_error(fmt::format("core invariant broken: {} {} {}", thing, number, what));
}

void check_job(const CoreState& state, const Job& job) {
  const auto check = [&job](bool holds, std::string_view what) {
    require(holds, "job", job.record.id.value, what);
  };
  const bool held = job.held();
  check(held == state.held.contains(job.record.id),
        "is held if and only if it is assigned or running");
  const bool orphan = state.orphans.contains(job.record.id);
  check(!orphan || held, "is an orphan only while it is held");
  const auto of_worker = state.orphans_of.find(job.record.worker);
  const bool listed =
      of_worker != state.orphans_of.end() && of_worker->second.contains(job.record.id);
  check(orphan == listed, "is an orphan if and only if it is one of its worker");
  const auto holder = state.workers.find(job.holder);
  const bool has_holder =
      holder != state.workers.end() && holder->second.jobs.contains(job.record.id);
  check(held == (orphan || has_holder), "has exactly one holder while it is held");
  check(job.record.deaths <= state.options.max_deaths, "died no more often than allowed");
  check(job.record.state != JobState::kDone || job.record.outcome.has_value(),
        "ended with an outcome");
  check(state.job_by_key.at(job.record.key) == job.record.id, "is found by its key");
  for (const TrialId id : job.trials)
    check(state.trials.at(id).job == job.record.id, "is the job of its trials");
  if (job.record.after) {
    const Job& stage = state.jobs.at(job.record.after);
    check(stage.record.iterations == job.record.from_iteration, "goes on where its stage ends");
    check(job.record.from_iteration < job.record.iterations, "trains something itself");
    check(!job.held() || stage.reached_end(), "waits for its stage");
  }
  for (const JobUse& use : job.uses) {
    const Campaign& campaign = state.campaigns.at(use.campaign);
    const bool wanted = state.wanted_by(job, use.campaign) && !state.holds_back(campaign);
    const auto queue = campaign.queue.find(state.first_trial(job).identity);
    const bool queued = queue != campaign.queue.end() && queue->second.contains(job.record.id);
    check(queued == (job.record.state == JobState::kPending && wanted && is_ready(state, job)),
          "is in a campaign's queue if and only if it is pending, ready and wanted");
  }
}

// What the jobs say of their uses, against the trials and what these lead through.
void check_uses(const CoreState& state) {
  std::vector<std::pair<JobId, CampaignId>> uses;  // sorted; one for each trial
  for (const auto& [id, trial] : state.trials) {
    for (JobId job = trial.job; job; job = state.jobs.at(job).record.after)
      uses.emplace_back(job, trial.campaign);
  }
  std::ranges::sort(uses);
  std::map<CampaignId, std::int64_t> total;
  std::map<CampaignId, std::int64_t> ended;
  std::size_t listed = 0;
  for (const auto& [id, job] : state.jobs) {
    for (const JobUse& use : job.uses) {
      listed += static_cast<std::size_t>(use.trials);
      const auto [first, last] =
          std::equal_range(uses.begin(), uses.end(), std::pair(id, use.campaign));
      require(last - first == use.trials, "job", id.value, "knows who leads through it");
      total[use.campaign] += job.own_iterations();
      if (job.ended()) ended[use.campaign] += job.own_iterations();
    }
  }
  require(listed == uses.size(), "the number of uses", static_cast<std::int64_t>(listed),
          "is that of the jobs that trials lead through");
  for (const auto& [id, campaign] : state.campaigns) {
    require(campaign.iterations_total == total[id] && campaign.iterations_ended == ended[id],
            "campaign", id.value, "counts each stage once");
  }
}

void check_campaign(const CoreState& state, const Campaign& campaign) {
  const auto check = [&campaign](bool holds, std::string_view what) {
    require(holds, "campaign", campaign.record.id.value, what);
  };
  std::int64_t open = 0;
  std::int64_t number = 0;
  for (const TrialId id : campaign.trials) {
    const TrialRecord& trial = state.trials.at(id);
    check(trial.number == number++, "counts its trials without a gap");
    if (trial.state <= TrialState::kRunning) ++open;
    if (trial.state <= TrialState::kRunning || trial.state == TrialState::kDone) {
      const JobState job = state.jobs.at(trial.job).record.state;
      require(trial.state == trial_state_of(job), "trial", id.value, "follows its job");
    }
  }
  check(open == campaign.open, "knows how many trials are open");
  check(open + campaign.done + campaign.diverged + campaign.failed + campaign.cancelled +
                campaign.stopped ==
            number,
        "counts every trial once");
  const bool ended = campaign.record.state >= CampaignState::kDone;
  check(!ended || open == 0, "ended with no trial open");
  const bool trains = campaign.record.state == CampaignState::kSearching ||
                      campaign.record.state == CampaignState::kVerifying ||
                      campaign.record.state == CampaignState::kScaling;
  const bool seeks = campaign.search && campaign.record.state == CampaignState::kSearching &&
                     (campaign.record.paused || state.seeking.contains(campaign.record.id));
  check(!campaign.active || !trains || open > 0 || seeks,
        "goes on while a trial is open or its search may have more, not longer");
  check(campaign.queue.empty() != state.queued.contains(campaign.record.id),
        "is listed if and only if something waits in its queue");
  check(static_cast<std::int64_t>(campaign.candidates.size()) <= number,
        "has no more candidates than trials");
}

void check_worker(const CoreState& state, const Worker& worker) {
  const auto check = [&worker](bool holds, std::string_view what) {
    if (!holds) require(false, "worker " + worker.name + " with", worker.slots, what);
  };
  check(static_cast<int>(worker.jobs.size()) <= worker.slots + kMostAhead,
        "slots holds no more jobs than it may have ahead");
  check(state.with_room.contains(worker.peer) == (worker.takes_work() && worker.has_room()),
        "slots is listed while it has room");
  for (const JobId id : worker.jobs) {
    require(state.jobs.at(id).holder == worker.peer, "job", id.value, "is its worker's");
  }
  check(!worker.reserved || !worker.idle(), "slots is reserved only while it works");
}

void check_running(const CoreState& state) {
  std::map<CampaignId, std::int64_t> running;
  for (const JobId id : state.held) {
    for (const JobUse& use : state.jobs.at(id).uses) ++running[use.campaign];
  }
  for (const auto& [id, campaign] : state.campaigns) {
    require(campaign.running == running[id], "campaign", id.value, "knows how many jobs it holds");
  }
}

}  // namespace

void Core::check_invariants() const {
  const CoreState& state = *state_;
  for (const auto& [id, job] : state.jobs) check_job(state, job);
  for (const auto& [id, campaign] : state.campaigns) check_campaign(state, campaign);
  for (const auto& [peer, worker] : state.workers) check_worker(state, worker);
  check_running(state);
  check_uses(state);
}

}  // namespace lrtune

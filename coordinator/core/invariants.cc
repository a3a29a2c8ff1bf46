#include <fmt/format.h>

#include <stdexcept>

#include "coordinator/core/core_state.h"

namespace lrtune {
namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error("core invariant broken: " + what);
}

void check_job(const CoreState& state, const Job& job) {
  const std::string name = fmt::format("job {}", job.record.id.value);
  const bool held = job.held();
  require(held == state.held.contains(job.record.id),
          name + " is held if and only if it is assigned or running");
  const bool orphan = state.orphans.contains(job.record.id);
  require(!orphan || held, name + " is an orphan only while it is held");
  const auto holder = state.workers.find(job.holder);
  const bool has_holder =
      holder != state.workers.end() && holder->second.jobs.contains(job.record.id);
  require(held == (orphan || has_holder), name + " has exactly one holder while it is held");
  require(job.record.deaths <= state.options.max_deaths, name + " died no more often than allowed");
  require(job.record.state != JobState::kDone || job.record.outcome.has_value(),
          name + " ended with an outcome");
  require(state.job_by_key.at(job.record.key) == job.record.id, name + " is found by its key");
  if (job.trials.empty()) return;
  const auto queue = state.pending.find(state.first_trial(job).identity);
  const bool queued = queue != state.pending.end() && queue->second.contains(job.record.id);
  const bool should_be = job.record.state == JobState::kPending && state.needed(job);
  require(queued == should_be, name + " is queued if and only if it is pending and needed");
}

void check_campaign(const CoreState& state, const Campaign& campaign) {
  const std::string name = fmt::format("campaign {}", campaign.record.id.value);
  std::int64_t open = 0;
  std::int64_t number = 0;
  for (const TrialId id : campaign.trials) {
    const TrialRecord& trial = state.trials.at(id);
    require(trial.number == number++, name + " counts its trials without a gap");
    if (trial.state <= TrialState::kRunning) ++open;
    if (trial.state <= TrialState::kRunning || trial.state == TrialState::kDone) {
      const JobState job = state.jobs.at(trial.job).record.state;
      require(trial.state == trial_state_of(job),
              fmt::format("trial {} follows its job", id.value));
    }
  }
  require(open == campaign.open, name + " knows how many trials are open");
  require(open + campaign.done + campaign.diverged + campaign.failed == number,
          name + " counts every trial once");
  const bool ended = campaign.record.state >= CampaignState::kDone;
  require(!ended || open == 0, name + " ended with no trial open");
  const bool trains = campaign.record.state == CampaignState::kSearching ||
                      campaign.record.state == CampaignState::kVerifying;
  require(!campaign.active || !trains || open > 0,
          name + " goes on while a trial is open, not longer");
}

}  // namespace

void Core::check_invariants() const {
  const CoreState& state = *state_;
  for (const auto& [id, job] : state.jobs) check_job(state, job);
  for (const auto& [id, campaign] : state.campaigns) check_campaign(state, campaign);
  for (const auto& [peer, worker] : state.workers) {
    require(static_cast<int>(worker.jobs.size()) <= worker.slots,
            fmt::format("worker {} has no more jobs than slots", worker.name));
    for (const JobId id : worker.jobs) {
      require(state.jobs.at(id).holder == peer, fmt::format("job {} is its worker's", id.value));
    }
  }
  for (const auto& [identity, jobs] : state.pending) {
    for (const JobId id : jobs) {
      require(state.jobs.at(id).record.state == JobState::kPending,
              fmt::format("job {} waits in the queue", id.value));
    }
  }
}

}  // namespace lrtune

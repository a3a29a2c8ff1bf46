// Rules that stop runs of a search which are not worth going on with. A run is judged at each of
// its evaluations, against the runs that have ended until then; both are written down, so that
// every stop can be explained and made again.
#include <algorithm>

#include "common/config/run_plan.h"
#include "coordinator/core/core_state.h"
#include "coordinator/core/search_log.h"

namespace lrtune {
namespace {

RunSoFar run_of(const CoreState& state, const Campaign& campaign, const TrialRecord& trial) {
  return run_so_far(state.jobs.at(trial.job).points, campaign.experiment.rank_by,
                    trial.plan.target);
}

bool counts(const TrialRecord& trial) {
  return trial.phase == TrialPhase::kSearch && trial.state == TrialState::kDone;
}

void take_in(CoreState& state, Campaign& campaign, const TrialRecord& trial) {
  campaign.stopping->weighed.insert(trial.id);
  campaign.stopping->knowledge.add(run_of(state, campaign, trial));
}

// What an earlier coordinator took in, and then what it could not.
void begin_stopping(CoreState& state, Campaign& campaign) {
  campaign.stopping = CampaignStopping{StopKnowledge(campaign.experiment.stop), {}};
  for (const DecisionRecord& decision : campaign.search_log) {
    if (decision.code == kWeighed && !campaign.stopping->weighed.contains(decision.trial))
      take_in(state, campaign, state.trials.at(decision.trial));
  }
  for (const TrialId id : campaign.candidates) weigh(state, campaign, state.trials.at(id));
}

std::optional<EarlyStop> judged(CoreState& state, Campaign& campaign, const TrialRecord& trial) {
  const TrainingIdentity& identity = state.identities.at(trial.identity);
  const auto after = median_after(campaign.experiment, trial.plan, identity.train, identity.data);
  const RunSoFar run = run_of(state, campaign, trial);
  if (!after || run.points.empty()) return std::nullopt;
  const std::int64_t iteration = run.points.back().iteration;
  if (iteration >= trial.plan.iterations) return std::nullopt;  // its end comes next
  const std::int64_t every = trial.plan.evaluate_every;
  const std::int64_t next = std::min((iteration / every + 1) * every, trial.plan.iterations);
  return campaign.stopping->knowledge.judge(run, next, *after);
}

bool is_judged(const Campaign& campaign, const TrialRecord& trial) {
  return campaign.active && !campaign.record.paused && campaign.experiment.stop.any() &&
         trial.phase == TrialPhase::kSearch && trial.state == TrialState::kRunning;
}

}  // namespace

void weigh(CoreState& state, Campaign& campaign, const TrialRecord& trial) {
  if (!campaign.active || !campaign.experiment.stop.any() || !counts(trial)) return;
  if (!campaign.stopping) return begin_stopping(state, campaign);  // with this one
  if (campaign.stopping->weighed.contains(trial.id)) return;
  take_in(state, campaign, trial);
  state.decide(campaign.record.id, trial.id, std::string(kWeighed), {});
}

void stop_the_hopeless(CoreState& state, Job& job) {
  const std::vector<TrialId> trials = job.trials;
  std::vector<TrialId> stopped;
  for (const TrialId id : trials) {
    TrialRecord& trial = state.trials.at(id);
    Campaign& campaign = state.campaigns.at(trial.campaign);
    if (!is_judged(campaign, trial)) continue;
    if (!campaign.stopping) begin_stopping(state, campaign);
    const auto stop = judged(state, campaign, trial);
    if (!stop) continue;
    set_trial_state(state, trial, TrialState::kStopped);
    state.decide(trial.campaign, id, std::string(kStoppedEarly), log_numbers(*stop));
    stopped.push_back(id);
  }
  if (stopped.empty()) return;
  drop_job(state, job, "a rule has stopped its trial");
  for (const TrialId id : stopped) trial_ended(state, state.trials.at(id));
}

}  // namespace lrtune

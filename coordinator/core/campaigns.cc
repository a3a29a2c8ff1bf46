#include <fmt/format.h>

#include <algorithm>

#include "coordinator/core/core_state.h"
#include "coordinator/search/search.h"

namespace lrtune {
namespace {

// A survey for the candidate's `train` part, unless another looks at the same.
Result<void> plan_survey(CoreState& state, Campaign& campaign, std::int64_t index) {
  const Template& given = campaign.experiment.train;
  const nlohmann::json drawn =
      given.holes.empty() ? given.tree : candidate(campaign.experiment, index).train;
  auto train = train_spec_from_json(drawn, "/train");
  if (!train) return tl::unexpected(train.error());
  std::string key = survey_key(*train);
  if (campaign.surveys.contains(key)) return {};
  SurveyNeed need;
  need.id = state.next_survey++;
  need.train = std::move(*train);
  campaign.surveys.emplace(std::move(key), std::move(need));
  state.survey_wanted = true;
  return {};
}

void begin_planning(CoreState& state, Campaign& campaign) {
  const auto count = candidate_count(campaign.experiment);
  if (!count) return fail_campaign(state, campaign, count.error().message);
  const bool all_alike = campaign.experiment.train.holes.empty();
  campaign.planning = SurveyPlanning{0, all_alike ? std::min<std::int64_t>(*count, 1) : *count};
  if (!campaign.record.paused) state.making.insert(campaign.record.id);
}

void stop_making(CoreState& state, Campaign& campaign) {
  campaign.planning.reset();
  campaign.making.reset();
  state.making.erase(campaign.record.id);
}

// Once it is known which surveys are needed, and all are answered.
void begin_trials_if_surveyed(CoreState& state, Campaign& campaign) {
  if (campaign.planning) return;
  const bool all = std::all_of(campaign.surveys.begin(), campaign.surveys.end(),
                               [](const auto& entry) { return entry.second.facts.has_value(); });
  if (all) begin_trials(state, campaign);
}

void enqueue_pending(CoreState& state, Campaign& campaign) {
  for (const TrialId id : campaign.trials) {
    const TrialRecord& trial = state.trials.at(id);
    Job& job = state.jobs.at(trial.job);
    if (job.record.state == JobState::kPending && trial.state <= TrialState::kRunning)
      enqueue(state, job);
  }
}

// Takes the campaign up where the store left it: its surveys, or the jobs that wait for a slot.
void begin(CoreState& state, Campaign& campaign) {
  campaign.active = true;
  campaign.active_since = state.now.steady;
  enqueue_pending(state, campaign);
  const bool by_results = decides_by_results(campaign.experiment.method);
  if (by_results && campaign.record.state == CampaignState::kSearching) {
    if (!campaign.candidates.empty()) return resume_search(state, campaign);
    campaign.record.state = CampaignState::kSurveying;
  }
  if (campaign.record.state == CampaignState::kSurveying) {
    if (!campaign.trials.empty()) {  // the making of its trials was interrupted, or it is extended
      const TrialRecord& first = state.trials.at(campaign.trials.front());
      campaign.numerics = state.identities.at(first.identity).numerics;
    }
    return begin_planning(state, campaign);
  }
  // Another campaign may have ended the jobs that it shares with this one.
  if (campaign.open == 0) end_phase(state, campaign);
}

// The phase that a campaign with these trials is in.
CampaignState phase_of(const CoreState& state, const Campaign& campaign) {
  CampaignState phase = CampaignState::kSurveying;
  for (const TrialId id : campaign.trials) {
    switch (state.trials.at(id).phase) {
      case TrialPhase::kSearch:
        phase = std::max(phase, CampaignState::kSearching);
        break;
      case TrialPhase::kVerify:
        phase = std::max(phase, CampaignState::kVerifying);
        break;
      case TrialPhase::kTolerance:
        phase = std::max(phase, CampaignState::kScaling);
        break;
    }
  }
  if (decides_by_results(campaign.experiment.method)) return phase;
  const auto made = static_cast<std::int64_t>(campaign.candidates.size());
  const bool all = made == candidate_count(campaign.experiment).value_or(0);
  return all ? phase : CampaignState::kSurveying;
}

// Its open trials end here, and nothing waits or runs for it alone any more.
void cancel_trials(CoreState& state, Campaign& campaign, const std::string& reason) {
  stop_making(state, campaign);
  dequeue_all(state, campaign);
  std::set<JobId> jobs;
  for (const TrialId id : campaign.trials) {
    TrialRecord& trial = state.trials.at(id);
    if (trial.state > TrialState::kRunning) continue;
    set_trial_state(state, trial, TrialState::kCancelled);
    for (const Job* job : path_to(state, state.jobs.at(trial.job))) jobs.insert(job->record.id);
  }
  for (const JobId id : jobs) drop_job(state, state.jobs.at(id), reason);
}

void revive_cancelled(CoreState& state, Campaign& campaign) {
  for (const TrialId id : campaign.trials) {
    TrialRecord& trial = state.trials.at(id);
    if (trial.state != TrialState::kCancelled) continue;
    set_trial_state(state, trial, trial_state_of(state.jobs.at(trial.job).record.state));
  }
}

// Whoever was asked does not work on them any more.
void drop_surveys(CoreState& state, Campaign& campaign) {
  for (auto& [key, need] : campaign.surveys) release_survey(state, need);
  campaign.surveys.clear();
}

void take_up_again(CoreState& state, Campaign& campaign) {
  campaign.record.state = CampaignState::kSurveying;
  if (state.holds_back(campaign)) dequeue_all(state, campaign);
  campaign.record.failure.clear();
  campaign.record.ended_at = 0;
}

Campaign& make_campaign(CoreState& state, const Experiment& experiment) {
  const CampaignId id{state.campaigns.empty() ? 1 : state.campaigns.rbegin()->first.value + 1};
  Campaign& campaign = state.campaigns[id];
  campaign.experiment = experiment;
  campaign.record.id = id;
  campaign.record.name = experiment.name;
  campaign.record.hash = experiment.hash;
  campaign.record.experiment = experiment.normalised;
  campaign.record.created_at = state.now.wall;
  state.campaign_by_hash[experiment.hash] = id;
  state.write(campaign.record);
  state.decide(id, {}, "created",
               {{"candidates", candidate_count(experiment).value_or(0)},
                {"method", name_of(experiment.method)},
                {"seed", experiment.seed}});
  begin(state, campaign);
  return campaign;
}

// Every known worker that could be asked has failed: nobody is left who might know better.
bool nobody_left_to_ask(const CoreState& state, const Campaign& campaign, const SurveyNeed& need) {
  return std::all_of(state.workers.begin(), state.workers.end(), [&](const auto& entry) {
    const Worker& worker = entry.second;
    return need.failed_on.contains(worker.process) ||
           !can_survey(worker.numerics, need.train, campaign.numerics);
  });
}

void survey_answered(CoreState& state, Campaign& campaign, SurveyNeed& need, const Worker& worker,
                     const wire::Surveyed& answer) {
  release_survey(state, need);
  if (!answer.facts) {
    need.failed_on.insert(worker.process);
    need.error = answer.error;
    if (nobody_left_to_ask(state, campaign, need)) fail_campaign(state, campaign, need.error);
    return;
  }
  need.facts = answer.facts;
  if (!campaign.numerics) campaign.numerics = worker.numerics;
  state.decide(campaign.record.id, {}, "surveyed",
               {{"dataset", need.train.dataset.name},
                {"train_samples", answer.facts->train_samples},
                {"validation_samples", answer.facts->validation_samples},
                {"test_samples", answer.facts->test_samples},
                {"backend", worker.numerics.backend},
                {"instruction_set", worker.numerics.instruction_set},
                {"worker", worker.name}});
  begin_trials_if_surveyed(state, campaign);
}

// Jobs come in the order of their numbers: a million of them are put where they belong without a
// search.
void restore_jobs(CoreState& state, StoredState& stored) {
  state.job_by_key.reserve(stored.jobs.size());
  state.jobs_by_end.reserve(stored.jobs.size());
  for (JobRecord& record : stored.jobs) {
    Job& job = state.jobs.emplace_hint(state.jobs.end(), record.id, Job{})->second;
    job.record = std::move(record);
    state.job_by_key[job.record.key] = job.record.id;
    state.jobs_by_end.emplace(job.record.to_state, job.record.id);
    if (!job.held()) continue;
    // Its worker may live and train on: it has one full lease to introduce itself.
    state.held.insert(job.record.id);
    state.orphans.insert(job.record.id);
    state.orphans_of[job.record.worker].insert(job.record.id);
    job.deadline = state.now.steady + state.options.lease;
  }
  for (auto& [id, job] : state.jobs) {
    if (job.record.after) state.jobs.at(job.record.after).next.push_back(id);
  }
  Job* job = nullptr;  // of the point before: mostly it is the same
  for (const PointRecord& record : stored.points) {
    if (job == nullptr || job->record.id != record.job) job = &state.jobs.at(record.job);
    if (record.attempt != job->record.attempt) continue;
    job->iteration = record.point.iteration;
    job->points.push_back(record.point);
  }
}

void reclaim_orphans(CoreState& state) {
  const std::set<JobId> orphans = state.orphans;
  for (const JobId id : orphans) {
    requeue(state, state.jobs.at(id), "its worker ended with an earlier coordinator",
            AttemptEnd::kReturned);
  }
}

// One more worker died of the survey, or beside it.
void count_death(CoreState& state, Campaign& campaign, SurveyNeed& need, const std::string& reason,
                 AttemptEnd end) {
  ++need.deaths;
  const DatasetSpec& dataset = need.train.dataset;
  state.decide(campaign.record.id, {}, "survey_lost",
               {{"dataset", dataset.name}, {"reason", reason}, {"deaths", need.deaths}});
  if (end != AttemptEnd::kDiedAlone || need.deaths < state.options.max_deaths) return;
  fail_campaign(
      state, campaign,
      fmt::format("the survey of data set {}{} on {} with {} thread{} ended with its worker's "
                  "death {} times; the last: {}",
                  dataset.name, dataset.path.empty() ? "" : " in " + dataset.path,
                  need.train.device, need.train.threads, need.train.threads == 1 ? "" : "s",
                  need.deaths, reason));
}

}  // namespace

void release_survey(CoreState& state, SurveyNeed& need) {
  if (const auto it = state.workers.find(need.asked); it != state.workers.end()) {
    it->second.surveys.erase(need.id);
    it->second.settle();
    note_room(state, it->second);
    dismiss_if_drained(state, it->second);
  }
  need.asked.clear();
  state.survey_wanted = true;
}

void lose_surveys(CoreState& state, const PeerId& peer, const std::string& reason,
                  AttemptEnd ends) {
  for (auto& [id, campaign] : state.campaigns) {
    for (auto it = campaign.surveys.begin(); it != campaign.surveys.end();) {
      SurveyNeed& need = it++->second;
      if (need.asked != peer) continue;
      need.asked.clear();
      if (ends == AttemptEnd::kReturned) continue;
      count_death(state, campaign, need, reason, ends);
      if (campaign.record.state == CampaignState::kFailed) break;  // its surveys are gone
    }
  }
}

void fail_survey(CoreState& state, std::int64_t survey, const std::string& reason) {
  for (auto& [id, campaign] : state.campaigns) {
    for (const auto& [key, need] : campaign.surveys) {
      if (need.id != survey) continue;
      fail_campaign(state, campaign,
                    fmt::format("no worker can be asked about data set {}: {}",
                                need.train.dataset.name, reason));
      return;
    }
  }
}

// A survey looks at all of it but the optimizer.
std::string survey_key(const TrainSpec& train) {
  nlohmann::json json = to_json(train);
  json.erase("optimizer");
  // A path may hold any bytes.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Campaign& submit(CoreState& state, const Experiment& experiment) {
  const auto known = state.campaign_by_hash.find(experiment.hash);
  if (known == state.campaign_by_hash.end()) return make_campaign(state, experiment);
  Campaign& campaign = state.campaigns.at(known->second);
  if (campaign.record.state == CampaignState::kDone) return campaign;
  // The store's own is the one that counts once it was extended.
  if (campaign.record.extensions == 0) campaign.experiment = experiment;
  const bool failed = campaign.record.state == CampaignState::kFailed;
  const bool cancelled = campaign.record.state == CampaignState::kCancelled;
  if (failed || cancelled) {
    // What failed did so by something outside it, such as missing data: try again.
    revive_cancelled(state, campaign);
    take_up_again(state, campaign);
    if (cancelled) campaign.record.state = phase_of(state, campaign);
    state.write(campaign.record);
  }
  state.decide(campaign.record.id, {}, "resumed",
               {{"ended", std::ssize(campaign.trials) - campaign.open}, {"open", campaign.open}});
  if (failed || cancelled || !campaign.active) begin(state, campaign);
  return campaign;
}

// A `train` with domains may be another for each candidate.
void plan_some_surveys(CoreState& state, Campaign& campaign) {
  constexpr std::int64_t kCandidates = 400;
  SurveyPlanning& planning = *campaign.planning;
  for (std::int64_t looked_at = 0; looked_at < kCandidates; ++looked_at) {
    if (planning.next == planning.count) {
      campaign.planning.reset();
      state.making.erase(campaign.record.id);
      return begin_trials_if_surveyed(state, campaign);
    }
    if (const auto planned = plan_survey(state, campaign, planning.next++); !planned)
      return fail_campaign(state, campaign, planned.error().message);
  }
}

void on_surveyed(CoreState& state, Worker& worker, const wire::Surveyed& answer) {
  for (auto& [id, campaign] : state.campaigns) {
    if (!campaign.active || campaign.record.state != CampaignState::kSurveying) continue;
    for (auto& [key, need] : campaign.surveys) {
      if (need.id != answer.survey || need.asked != worker.peer || need.facts) continue;
      survey_answered(state, campaign, need, worker, answer);
      return;
    }
  }
}

void restore_campaigns(CoreState& state, StoredState& stored) {
  for (IdentityRecord& record : stored.identities) {
    state.identities.emplace(record.hash, std::move(record.identity));
  }
  restore_jobs(state, stored);
  for (CampaignRecord& record : stored.campaigns) {
    Campaign& campaign = state.campaigns[record.id];
    campaign.record = std::move(record);
    state.campaign_by_hash[campaign.record.hash] = campaign.record.id;
  }
  for (WorkerOrderRecord& record : stored.orders) state.orders[record.worker] = std::move(record);
  for (DecisionRecord& record : stored.search_log)
    state.campaigns.at(record.campaign).search_log.push_back(std::move(record));
  for (TrialRecord& record : stored.trials) {
    Campaign& campaign = state.campaigns.at(record.campaign);
    campaign.trials.push_back(record.id);
    if (record.phase == TrialPhase::kSearch) campaign.candidates.push_back(record.id);
    Job& job = state.jobs.at(record.job);
    job.trials.push_back(record.id);
    use_jobs(state, job, campaign, +1);
    note_first_trial(state, job, record.id);
    const TrialRecord& trial =
        state.trials.emplace_hint(state.trials.end(), record.id, std::move(record))->second;
    count_trial(state, trial, +1);
  }
  for (auto& [id, campaign] : state.campaigns) {
    const std::vector<Digest>& only = state.options.only_campaigns;
    const bool wanted = only.empty() || std::ranges::find(only, campaign.record.hash) != only.end();
    if (!wanted || campaign.record.state >= CampaignState::kDone) continue;
    auto experiment = experiment_from_json(campaign.record.experiment);
    if (!experiment) {  // written by another version of lrtune
      fail_campaign(state, campaign,
                    "its stored experiment cannot be read: " + experiment.error().message);
      continue;
    }
    campaign.experiment = std::move(*experiment);
    begin(state, campaign);
  }
  if (!state.options.workers_survive) reclaim_orphans(state);
}

void trial_ended(CoreState& state, TrialRecord& trial) {
  Campaign& campaign = state.campaigns.at(trial.campaign);
  if (campaign.active) observe_end(state, campaign, trial);
  weigh(state, campaign, trial);
  if (campaign.search && campaign.record.state == CampaignState::kSearching)
    return;  // seek() ends the phase
  // Trials that share a job end together: the first of them has ended the phase for all.
  const bool over = campaign.record.state >= CampaignState::kDone ||
                    campaign.record.state == CampaignState::kSurveying;  // trials are being made
  if (campaign.active && !over && campaign.open == 0) end_phase(state, campaign);
}

// Each phase begins with what the one before it found; one whose trials are all known already ends
// at once.
void end_phase(CoreState& state, Campaign& campaign) {
  const Experiment& experiment = campaign.experiment;
  std::vector<TrialId> best;  // search trials that ended well, by the newest ranking
  if (campaign.record.state == CampaignState::kSearching) {
    best = rank_search(state, campaign);
    if (experiment.verify_top > 0 && !best.empty()) {
      make_verification_trials(state, campaign, best);
      if (campaign.open > 0) return;
    }
  }
  if (campaign.record.state == CampaignState::kVerifying) {
    repeat_unsettled(state, campaign);
    if (campaign.open > 0) return;
    best = rank_verification(state, campaign);
  }
  if (experiment.tolerance_top > 0 && !best.empty()) {
    make_tolerance_trials(state, campaign, best);
    if (campaign.open > 0) return;
  }
  if (campaign.record.state == CampaignState::kScaling) note_tolerance(state, campaign);
  campaign.record.state = CampaignState::kDone;
  campaign.record.paused = false;  // what it is extended by does not wait for a word
  campaign.record.ended_at = state.now.wall;
  note_busy_time(state, campaign);
  state.write(campaign.record);
  state.decide(campaign.record.id, {}, "done",
               {{"trials", campaign.trials.size()},
                {"done", campaign.done},
                {"diverged", campaign.diverged},
                {"failed", campaign.failed},
                {"stopped", campaign.stopped},
                {"reused", campaign.reused},
                {"seconds", campaign.record.busy_seconds}});
}

void fail_campaign(CoreState& state, Campaign& campaign, std::string reason) {
  campaign.record.state = CampaignState::kFailed;
  campaign.record.failure = reason;
  campaign.record.paused = false;
  campaign.record.ended_at = state.now.wall;
  drop_surveys(state, campaign);
  cancel_trials(state, campaign, "its campaign failed");
  note_busy_time(state, campaign);
  state.write(campaign.record);
  state.decide(campaign.record.id, {}, "campaign_failed", {{"reason", reason}});
}

void pause_campaign(CoreState& state, Campaign& campaign, const std::string& reason) {
  if (campaign.record.paused) return;
  campaign.record.paused = true;
  state.write(campaign.record);
  state.decide(campaign.record.id, {}, "paused", {{"reason", reason}, {"open", campaign.open}});
  state.making.erase(campaign.record.id);
  // A survey that is under way goes on: nobody can stop its worker, and the answer will be wanted.
  dequeue_all(state, campaign);
  const std::set<JobId> held = state.held;
  for (const JobId id : held) drop_job(state, state.jobs.at(id), "its campaign is paused");
}

void resume_campaign(CoreState& state, Campaign& campaign) {
  if (!campaign.record.paused) return;
  campaign.record.paused = false;
  state.write(campaign.record);
  state.decide(campaign.record.id, {}, "resumed",
               {{"ended", std::ssize(campaign.trials) - campaign.open}, {"open", campaign.open}});
  if (campaign.planning || campaign.making) state.making.insert(campaign.record.id);
  if (is_seeking(campaign)) state.seeking.insert(campaign.record.id);
  state.survey_wanted = true;
  enqueue_pending(state, campaign);
}

void cancel_campaign(CoreState& state, Campaign& campaign, const std::string& reason) {
  if (campaign.record.state >= CampaignState::kDone) return;
  campaign.record.state = CampaignState::kCancelled;
  campaign.record.paused = false;
  campaign.record.ended_at = state.now.wall;
  drop_surveys(state, campaign);
  state.decide(campaign.record.id, {}, "cancelled", {{"reason", reason}, {"open", campaign.open}});
  cancel_trials(state, campaign, "its campaign was cancelled");
  note_busy_time(state, campaign);
  state.write(campaign.record);
}

void extend_campaign(CoreState& state, Campaign& campaign, Experiment experiment) {
  if (experiment.normalised == campaign.experiment.normalised) return;  // asked for twice
  campaign.experiment = std::move(experiment);
  campaign.record.experiment = campaign.experiment.normalised;
  ++campaign.record.extensions;
  stop_making(state, campaign);
  drop_surveys(state, campaign);
  take_up_again(state, campaign);
  state.write(campaign.record);
  state.decide(campaign.record.id, {}, "campaign_extended",
               {{"candidates", candidate_count(campaign.experiment).value_or(0)},
                {"extensions", campaign.record.extensions}});
  revive_cancelled(state, campaign);
  begin(state, campaign);
}

void note_busy_time(CoreState& state, Campaign& campaign) {
  const std::chrono::duration<double> busy = state.now.steady - campaign.active_since;
  campaign.record.busy_seconds += busy.count();
  campaign.active_since = state.now.steady;
}

}  // namespace lrtune

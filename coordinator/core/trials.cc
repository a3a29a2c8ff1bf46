#include <fmt/format.h>

#include <algorithm>

#include "common/config/run_plan.h"
#include "common/policy/policy_json.h"
#include "common/random.h"
#include "common/state_name.h"
#include "coordinator/core/core_state.h"
#include "coordinator/search/search.h"
#include "coordinator/tuning/tolerance.h"
#include "coordinator/tuning/verification.h"

namespace lrtune {
namespace {

// A candidate with all its numbers: what a trial trains.
struct Resolved {
  TrainingIdentity identity;
  Policy policy;
  RunPlan plan;
};

Result<Resolved> resolve(const Campaign& campaign, const Candidate& candidate) {
  auto train = train_spec_from_json(candidate.train, "/train");
  if (!train) return tl::unexpected(train.error());
  const SurveyNeed& survey = campaign.surveys.at(survey_key(*train));
  Resolved resolved;
  resolved.identity.data = *survey.facts;
  resolved.identity.numerics = *campaign.numerics;
  resolved.identity.numerics.threads = train->threads;
  auto plan = run_plan_of(campaign.experiment, *train, *survey.facts);
  if (!plan) return tl::unexpected(plan.error());
  resolved.plan = *plan;
  const PolicyContext context = policy_context_of(*plan, *train, *survey.facts);
  auto policy = policy_from_json(candidate.policy, context, "/search/policies");
  if (!policy) return tl::unexpected(policy.error());
  resolved.identity.train = std::move(*train);
  resolved.policy = std::move(*policy);
  return resolved;
}

// What makes two jobs the same work, beside the states they lead from and to.
Digest job_key(const Digest& from, const Digest& to, const RunPlan& plan) {
  nlohmann::json stops = nullptr;
  if (plan.stop_at_target && plan.target) {
    stops = {{"measure", name_of(plan.target->measure)}, {"value", plan.target->value}};
  }
  nlohmann::json key = {{"from", from.hex()},
                        {"to", to.hex()},
                        {"evaluate_every", plan.evaluate_every},
                        {"evaluate_on", name_of(plan.evaluate_on)},
                        {"train_subset", plan.train_subset},
                        {"metrics", kMetricVersion},
                        {"stop_at", stops}};
  if (plan.max_seconds) key["max_seconds"] = *plan.max_seconds;
  return sha256(key.dump());
}

Job& job_for(CoreState& state, const TrialRecord& trial) {
  const Digest from = initial_state(trial.identity, trial.seed);
  const Digest to = state_after(from, trial.policy, 0, trial.plan.iterations);
  const Digest key = job_key(from, to, trial.plan);
  if (const auto known = state.job_by_key.find(key); known != state.job_by_key.end()) {
    return state.jobs.at(known->second);
  }
  const JobId id{state.jobs.empty() ? 1 : state.jobs.rbegin()->first.value + 1};
  Job& job = state.jobs[id];
  job.record.id = id;
  job.record.key = key;
  job.record.from_state = from;
  job.record.to_state = to;
  state.job_by_key[key] = id;
  state.write(job.record);
  return job;
}

// A job that failed in an earlier campaign gets another chance; its attempts go on counting.
void revive_failed(CoreState& state, Job& job) {
  if (job.record.state != JobState::kFailed) return;
  job.record.state = JobState::kPending;
  job.record.deaths = 0;
  job.record.outcome.reset();
  job.points.clear();
  job.failed_on.clear();
  state.write(job.record);
}

// Makes the trial and its job, or finds the job. `trial` has everything but id, number, job and
// state.
void add_trial(CoreState& state, Campaign& campaign, TrialRecord trial) {
  trial.id = {state.trials.empty() ? 1 : state.trials.rbegin()->first.value + 1};
  trial.campaign = campaign.record.id;
  trial.number = static_cast<std::int64_t>(campaign.trials.size());
  Job& job = job_for(state, trial);
  const bool shared_here = std::any_of(job.trials.begin(), job.trials.end(), [&](TrialId id) {
    return state.trials.at(id).campaign == trial.campaign;
  });
  if (!shared_here) revive_failed(state, job);
  trial.job = job.record.id;
  trial.state = trial_state_of(job.record.state);
  job.trials.push_back(trial.id);
  campaign.trials.push_back(trial.id);
  state.write(trial);
  const TrialRecord& kept = state.trials.emplace(trial.id, std::move(trial)).first->second;
  count_trial(state, kept, +1);
  if (job.ended()) {
    ++campaign.reused;
    state.decide(campaign.record.id, kept.id, "reused",
                 {{"job", job.record.id.value}, {"iterations", job.iteration}});
  } else if (job.record.state == JobState::kPending) {
    enqueue(state, job);
  }
}

// Trials that share a job are one policy; repeating it twice would tell nothing.
std::vector<TrialId> without_repetition(const CoreState& state,
                                        const std::vector<TrialId>& ranked) {
  std::vector<TrialId> distinct;
  std::set<JobId> seen;
  for (const TrialId id : ranked) {
    if (seen.insert(state.trials.at(id).job).second) distinct.push_back(id);
  }
  return distinct;
}

}  // namespace

TrialState trial_state_of(JobState state) {
  switch (state) {
    case JobState::kPending:
      return TrialState::kWaiting;
    case JobState::kAssigned:
    case JobState::kRunning:
      return TrialState::kRunning;
    case JobState::kDone:
      return TrialState::kDone;
    case JobState::kDiverged:
      return TrialState::kDiverged;
    case JobState::kFailed:
      return TrialState::kFailed;
  }
  return TrialState::kFailed;
}

void count_trial(CoreState& state, const TrialRecord& trial, int sign) {
  Campaign& campaign = state.campaigns.at(trial.campaign);
  const Job& job = state.jobs.at(trial.job);
  campaign.iterations_total += sign * trial.plan.iterations;
  switch (trial.state) {
    case TrialState::kWaiting:
    case TrialState::kRunning:
      campaign.open += sign;
      break;
    case TrialState::kDone:
      campaign.done += sign;
      break;
    case TrialState::kDiverged:
      campaign.diverged += sign;
      break;
    case TrialState::kFailed:
      campaign.failed += sign;
      break;
    case TrialState::kCancelled:
      campaign.cancelled += sign;
      break;
  }
  if (trial.state > TrialState::kRunning) campaign.iterations_ended += sign * trial.plan.iterations;
  for (const MetricPoint& point : job.points) {
    if (!campaign.best_top1 || point.evaluated.top1 > *campaign.best_top1) {
      campaign.best_top1 = point.evaluated.top1;
      campaign.best_trial = trial.id;
    }
  }
}

void make_search_trials(CoreState& state, Campaign& campaign) {
  const std::int64_t count = candidate_count(campaign.experiment).value();
  std::vector<Resolved> all;
  for (std::int64_t i = 0; i < count; ++i) {
    auto resolved = resolve(campaign, candidate(campaign.experiment, i));
    if (!resolved) {
      fail_campaign(state, campaign, fmt::format("candidate {}: {}", i, resolved.error().message));
      return;
    }
    all.push_back(std::move(*resolved));
  }
  campaign.record.state = CampaignState::kSearching;
  campaign.surveys.clear();
  state.write(campaign.record);
  for (Resolved& resolved : all) {
    TrialRecord trial;
    trial.identity = resolved.identity.hash();
    // The newest path to the same data wins; the path is no part of the identity.
    if (const auto it = state.identities.find(trial.identity);
        it == state.identities.end() || !(it->second == resolved.identity)) {
      state.identities[trial.identity] = resolved.identity;
      state.write(IdentityRecord{trial.identity, resolved.identity});
    }
    trial.seed = trial_seed(campaign.experiment.seed, 0);
    trial.policy = std::move(resolved.policy);
    trial.plan = resolved.plan;
    add_trial(state, campaign, std::move(trial));
  }
  if (campaign.open == 0) end_phase(state, campaign);
}

void make_verification_trials(CoreState& state, Campaign& campaign,
                              const std::vector<TrialId>& ranked) {
  const std::vector<TrialId> distinct = without_repetition(state, ranked);
  campaign.record.state = CampaignState::kVerifying;
  state.write(campaign.record);
  const Experiment& experiment = campaign.experiment;
  for (const VerificationRun& run :
       plan_verification(distinct, experiment.verify_top, experiment.verify_repeats)) {
    TrialRecord trial = state.trials.at(run.of);
    trial.phase = TrialPhase::kVerify;
    trial.verifies = run.of;
    trial.repeat = run.repeat;
    trial.seed = trial_seed(experiment.seed, run.repeat);
    add_trial(state, campaign, std::move(trial));
    state.decide(campaign.record.id, run.of, "verification",
                 {{"repeat", run.repeat},
                  {"repeats", experiment.verify_repeats},
                  {"trial", campaign.trials.back().value}});
  }
}

void make_tolerance_trials(CoreState& state, Campaign& campaign,
                           const std::vector<TrialId>& ranked) {
  campaign.record.state = CampaignState::kScaling;
  state.write(campaign.record);
  const Experiment& experiment = campaign.experiment;
  for (const ScaledRun& run :
       plan_tolerance(without_repetition(state, ranked), experiment.tolerance_top,
                      experiment.tolerance_scales)) {
    TrialRecord trial = state.trials.at(run.of);
    trial.phase = TrialPhase::kTolerance;
    trial.verifies = run.of;
    trial.scale = run.scale;
    trial.policy = scaled(std::move(trial.policy), run.scale);
    add_trial(state, campaign, std::move(trial));
    state.decide(campaign.record.id, run.of, "scaled",
                 {{"scale", run.scale}, {"trial", campaign.trials.back().value}});
  }
}

}  // namespace lrtune

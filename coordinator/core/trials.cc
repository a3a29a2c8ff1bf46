#include <fmt/format.h>

#include <algorithm>

#include "common/config/run_plan.h"
#include "common/policy/policy_json.h"
#include "common/random.h"
#include "common/state_name.h"
#include "coordinator/core/campaign_ranking.h"
#include "coordinator/core/core_state.h"
#include "coordinator/search/search.h"
#include "coordinator/tuning/tolerance.h"
#include "coordinator/tuning/verification.h"

namespace lrtune {
namespace {

// Candidate `index` with all its numbers: its policy, and in making.train all else.
Result<Policy> resolve(const Campaign& campaign, TrialMaking& making, std::int64_t index) {
  const Experiment& experiment = campaign.experiment;
  nlohmann::json policy;
  if (making.train && experiment.train.holes.empty()) {
    policy = candidate_policy(experiment, index);
  } else {
    Candidate drawn = candidate(experiment, index);
    policy = std::move(drawn.policy);
    if (!making.train || making.train->train != drawn.train) {
      auto resolved = resolve_train(campaign, std::move(drawn.train));
      if (!resolved) return tl::unexpected(resolved.error());
      making.train = *std::move(resolved);
    }
  }
  return policy_from_json(policy, making.train->context, "/search/policies");
}

// What makes two jobs the same work, beside the states they lead from and to: the SHA-256 of a JSON
// text with sorted keys, written down at once as there is one for each trial.
Digest job_key(const Digest& from, const Digest& to, const RunPlan& plan) {
  std::string stops = "null";
  if (plan.stop_at_target && plan.target) {
    stops =
        FlatJson{{"measure", name_of(plan.target->measure)}, {"value", plan.target->value}}.text();
  }
  std::string most;
  if (plan.m_opt_every > 0) most = fmt::format(R"("m_opt_every":{},)", plan.m_opt_every);
  if (plan.max_seconds) {
    const std::string seconds = FlatJson{{"max_seconds", *plan.max_seconds}}.text();
    most += seconds.substr(1, seconds.size() - 2) + ",";
  }
  return sha256(fmt::format(
      R"({{"evaluate_every":{},"evaluate_on":"{}","from":"{}",{}"metrics":{},"stop_at":{},"to":"{}","train_subset":{}}})",
      plan.evaluate_every, name_of(plan.evaluate_on), from.hex(), most, kMetricVersion, stops,
      to.hex(), plan.train_subset));
}

// The name of where a trial with a reactive policy leads from `from`. Where its rates lead shows
// when it is trained: this says what decides them.
Digest reactive_end(const TrialRecord& trial, const Digest& from) {
  const Digest plan = reactive_plan(from, controller_digest(trial.policy, trial.plan));
  return reactive_state(plan, trial.plan.iterations);
}

// Where a run leads, and what is known of the way.
struct Way {
  Digest to;
  JobId stage;  // the longest other job that ends on it, measures as `plan` wants, and is not in
                // vain; 0: none
};

// The job that ends in `end`, where a run with `plan` comes by, if others can go on from it.
JobId stage_at(const CoreState& state, const Digest& from, const Digest& end, const RunPlan& plan) {
  const auto [first, last] = state.jobs_by_end.equal_range(end);
  for (auto it = first; it != last; ++it) {
    const Job& job = state.jobs.at(it->second);
    const bool leads_on = !job.ended() || job.reached_end();
    if (leads_on && job.record.key == job_key(from, end, plan)) return it->second;
  }
  return {};
}

Way way_of(const CoreState& state, const Digest& from, const TrialRecord& trial) {
  constexpr std::int64_t kBlock = 1024;
  if (trial.policy.reactive()) return {reactive_end(trial, from), {}};
  const bool looks = state.options.share_stages && !trial.plan.max_seconds;
  Way way{from, {}};
  std::vector<double> rates;
  for (std::int64_t t = 0; t < trial.plan.iterations;) {
    rates.resize(static_cast<std::size_t>(std::min(kBlock, trial.plan.iterations - t)));
    learning_rates(trial.policy, t, rates);
    for (const double rate : rates) {
      way.to = next_state(way.to, rate);
      if (++t == trial.plan.iterations || !looks) continue;
      if (const JobId stage = stage_at(state, from, way.to, trial.plan)) way.stage = stage;
    }
  }
  return way;
}

// `trial` follows `job` from now on.
void join_job(CoreState& state, Campaign& campaign, TrialRecord& trial, Job& job) {
  trial.job = job.record.id;
  trial.state = trial_state_of(job.record.state);
  job.trials.push_back(trial.id);
  use_jobs(state, job, campaign, +1);
  note_first_trial(state, job, trial.id);
  state.write(trial);
  count_trial(state, trial, +1);
  if (job.ended()) {
    ++campaign.reused;
    state.decide(campaign.record.id, trial.id, "reused",
                 {{"job", job.record.id.value}, {"iterations", job.iteration}});
    weigh(state, campaign, trial);
  } else if (job.record.state == JobState::kPending) {
    enqueue(state, job);
  }
}

// Makes the trial and its job, or finds the job. `trial` has everything but id, number, job and
// state.
TrialId add_trial(CoreState& state, Campaign& campaign, TrialRecord trial) {
  trial.id = {state.trials.empty() ? 1 : state.trials.rbegin()->first.value + 1};
  trial.campaign = campaign.record.id;
  trial.number = static_cast<std::int64_t>(campaign.trials.size());
  Job& job = job_for(state, trial);
  const bool shared_here = std::any_of(job.trials.begin(), job.trials.end(), [&](TrialId id) {
    return state.trials.at(id).campaign == trial.campaign;
  });
  if (!shared_here) revive_failed(state, job);
  campaign.trials.push_back(trial.id);
  const TrialId id = trial.id;
  join_job(state, campaign, state.trials.emplace(id, std::move(trial)).first->second, job);
  return id;
}

// A trial leads through it no longer.
void find_first_trial(CoreState& state, Job& job) {
  job.first_trial = job.trials.empty() ? TrialId{} : job.trials.front();
  for (const JobId next : job.next) {
    if (!job.first_trial) job.first_trial = state.jobs.at(next).first_trial;
  }
}

// The newest path to the same data wins; the path is no part of the identity.
void note_identity(CoreState& state, const ResolvedTrain& resolved) {
  const auto it = state.identities.find(resolved.hash);
  if (it != state.identities.end() && it->second == resolved.identity) return;
  state.identities[resolved.hash] = resolved.identity;
  state.write(IdentityRecord{resolved.hash, resolved.identity});
}

// Candidate `index` as a trial: a new one, or the one of an earlier making, which becomes longer if
// the experiment was extended. What diverged would do so again.
void make_trial(CoreState& state, Campaign& campaign, std::size_t index, Policy policy,
                ResolvedTrain& resolved) {
  if (index < campaign.candidates.size()) {
    TrialRecord& trial = state.trials.at(campaign.candidates[index]);
    const bool longer = resolved.plan.iterations > trial.plan.iterations;
    if (longer && trial.state != TrialState::kDiverged) {
      state.decide(campaign.record.id, trial.id, "extended",
                   {{"from", trial.plan.iterations}, {"to", resolved.plan.iterations}});
      lengthen(state, campaign, trial, resolved.plan);
    }
    return;
  }
  add_candidate(state, campaign, std::move(policy), resolved.plan, resolved);
}

// Data that were replaced since the first trials were made would be compared with themselves as
// they were.
Result<void> same_data(const CoreState& state, const Campaign& campaign, std::size_t index,
                       const ResolvedTrain& resolved) {
  if (index >= campaign.candidates.size()) return {};
  const TrialRecord& trial = state.trials.at(campaign.candidates[index]);
  if (state.identities.at(trial.identity).data == resolved.identity.data) return {};
  return fail(fmt::format("data set {} is not what the campaign's first trials were trained on",
                          resolved.identity.train.dataset.name));
}

// All candidates are trials.
void end_making(CoreState& state, Campaign& campaign) {
  campaign.making.reset();
  state.making.erase(campaign.record.id);
  campaign.surveys.clear();
  campaign.record.state = CampaignState::kSearching;
  state.write(campaign.record);
  share_stages(state, campaign.trials);
  if (campaign.open == 0) end_phase(state, campaign);
}

bool has_run(const CoreState& state, const Campaign& campaign, TrialPhase phase, TrialId of,
             std::uint32_t repeat, double scale) {
  return std::any_of(campaign.trials.begin(), campaign.trials.end(), [&](TrialId id) {
    const TrialRecord& trial = state.trials.at(id);
    return trial.phase == phase && trial.verifies == of && trial.repeat == repeat &&
           trial.scale == scale && state.is_current(trial);
  });
}

std::vector<TrialId> trials_from(const Campaign& campaign, std::size_t first) {
  return {campaign.trials.begin() + static_cast<std::ptrdiff_t>(first), campaign.trials.end()};
}

std::vector<TrialId> distinct_of(const CoreState& state, const std::vector<TrialId>& ranked) {
  std::vector<const TrialRecord*> trials;
  for (const TrialId id : ranked) trials.push_back(&state.trials.at(id));
  return without_repetition(trials);
}

}  // namespace

Result<ResolvedTrain> resolve_train(const Campaign& campaign, nlohmann::json json) {
  auto train = train_spec_from_json(json, "/train");
  if (!train) return tl::unexpected(train.error());
  const SurveyNeed& survey = campaign.surveys.at(survey_key(*train));
  ResolvedTrain resolved;
  resolved.train = std::move(json);
  resolved.identity.data = *survey.facts;
  resolved.identity.numerics = *campaign.numerics;
  resolved.identity.numerics.threads = train->threads;
  auto plan = run_plan_of(campaign.experiment, *train, *survey.facts);
  if (!plan) return tl::unexpected(plan.error());
  resolved.plan = *plan;
  resolved.context = policy_context_of(*plan, *train, *survey.facts);
  resolved.identity.train = std::move(*train);
  resolved.hash = resolved.identity.hash();
  return resolved;
}

TrialId add_candidate(CoreState& state, Campaign& campaign, Policy policy, const RunPlan& plan,
                      ResolvedTrain& train) {
  TrialRecord trial;
  trial.identity = train.hash;
  if (!std::exchange(train.known, true)) note_identity(state, train);
  trial.seed = trial_seed(campaign.experiment.seed, 0);
  trial.policy = std::move(policy);
  trial.plan = plan;
  const TrialId id = add_trial(state, campaign, std::move(trial));
  campaign.candidates.push_back(id);
  return id;
}

void lengthen(CoreState& state, Campaign& campaign, TrialRecord& trial, const RunPlan& plan) {
  Job& old = state.jobs.at(trial.job);
  count_trial(state, trial, -1);
  use_jobs(state, old, campaign, -1);
  std::erase(old.trials, trial.id);
  for (Job* one : path_to(state, old)) find_first_trial(state, *one);
  trial.plan = plan;
  Job& job = job_for(state, trial);
  revive_failed(state, job);
  join_job(state, campaign, trial, job);
  for (Job* one : path_to(state, old)) drop_job(state, *one, "its run became longer");
}

Job& job_for(CoreState& state, const TrialRecord& trial) {
  const Digest from = initial_state(trial.identity, trial.seed);
  const Way way = way_of(state, from, trial);
  const Digest key = job_key(from, way.to, trial.plan);
  if (const auto known = state.job_by_key.find(key); known != state.job_by_key.end()) {
    return state.jobs.at(known->second);
  }
  const JobId id{state.jobs.empty() ? 1 : state.jobs.rbegin()->first.value + 1};
  Job& job = state.jobs[id];
  job.record.id = id;
  job.record.key = key;
  job.record.from_state = from;
  job.record.to_state = way.to;
  job.record.iterations = trial.plan.iterations;
  if (way.stage) {
    Job& stage = state.jobs.at(way.stage);
    job.record.after = way.stage;
    job.record.from_iteration = stage.record.iterations;
    stage.next.push_back(id);
  }
  state.job_by_key[key] = id;
  state.jobs_by_end.emplace(way.to, id);
  state.write(job.record);
  return job;
}

void revive_failed(CoreState& state, Job& job) {
  for (Job* one : path_to(state, job)) {
    if (one->record.state != JobState::kFailed) continue;
    const std::int64_t trained = one->own_iterations();
    one->record.state = JobState::kPending;
    one->record.deaths = 0;
    one->record.outcome.reset();
    for (Campaign* campaign : state.campaigns_of(*one)) {
      campaign->iterations_ended -= trained;
      campaign->iterations_total += one->own_iterations() - trained;
    }
    one->points.clear();
    one->failed_on.clear();
    state.write(one->record);
  }
}

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
  campaign.iterations_asked += sign * trial.plan.iterations;
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
    case TrialState::kStopped:
      campaign.stopped += sign;
      break;
  }
  for (const MetricPoint& point : job.points) {
    if (!campaign.best_top1 || point.evaluated.top1 > *campaign.best_top1) {
      campaign.best_top1 = point.evaluated.top1;
      campaign.best_trial = trial.id;
    }
  }
}

void set_trial_state(CoreState& state, TrialRecord& trial, TrialState to) {
  count_trial(state, trial, -1);
  trial.state = to;
  count_trial(state, trial, +1);
  state.write(trial);
}

void drop_job(CoreState& state, Job& job, const std::string& reason) {
  if (state.needed(job)) return;
  if (job.record.state == JobState::kPending) return dequeue(state, job);
  if (!job.held()) return;
  if (!job.holder.empty())
    state.send(job.holder, wire::Cancel{job.record.id, job.record.attempt, reason});
  requeue(state, job, reason, AttemptEnd::kReturned);
}

void begin_trials(CoreState& state, Campaign& campaign) {
  if (decides_by_results(campaign.experiment.method)) return begin_search(state, campaign);
  campaign.making = TrialMaking{0, candidate_count(campaign.experiment).value(), std::nullopt};
  if (!campaign.record.paused) state.making.insert(campaign.record.id);
}

// One candidate costs a hash for each of its iterations: these are what a step may take.
void make_some_trials(CoreState& state) {
  constexpr std::int64_t kIterations = 40'000;  // some 10 ms
  constexpr std::int64_t kCandidates = 400;
  if (state.making.empty() || state.stopping) return;
  Campaign& campaign = state.campaigns.at(*state.making.begin());
  if (campaign.planning) return plan_some_surveys(state, campaign);
  std::int64_t iterations = 0;
  for (std::int64_t made = 0; made < kCandidates && iterations < kIterations; ++made) {
    TrialMaking& making = *campaign.making;
    const std::int64_t index = making.next;
    if (index == making.count) return end_making(state, campaign);
    auto policy = resolve(campaign, making, index);
    if (policy) {
      if (auto same = same_data(state, campaign, static_cast<std::size_t>(index), *making.train);
          !same)
        policy = tl::unexpected(same.error());
    }
    if (!policy) {
      fail_campaign(state, campaign,
                    fmt::format("candidate {}: {}", index, policy.error().message));
      return;
    }
    iterations += making.train->plan.iterations;
    ++making.next;
    make_trial(state, campaign, static_cast<std::size_t>(index), *std::move(policy), *making.train);
  }
}

void make_repeat(CoreState& state, Campaign& campaign, TrialId of, std::uint32_t repeat) {
  if (has_run(state, campaign, TrialPhase::kVerify, of, repeat, 1)) return;
  const Experiment& experiment = campaign.experiment;
  TrialRecord trial = state.trials.at(of);
  trial.phase = TrialPhase::kVerify;
  trial.verifies = of;
  trial.repeat = repeat;
  trial.seed = trial_seed(experiment.seed, repeat);
  const TrialId id = add_trial(state, campaign, std::move(trial));
  state.decide(campaign.record.id, of, "verification",
               {{"repeat", repeat}, {"repeats", experiment.verify_repeats}, {"trial", id.value}});
}

void make_verification_trials(CoreState& state, Campaign& campaign,
                              const std::vector<TrialId>& ranked) {
  const std::vector<TrialId> distinct = distinct_of(state, ranked);
  const std::size_t first = campaign.trials.size();
  campaign.record.state = CampaignState::kVerifying;
  state.write(campaign.record);
  const Experiment& experiment = campaign.experiment;
  const int repeats = experiment.verify_settled ? kFirstRepeats : experiment.verify_repeats;
  for (const VerificationRun& run : plan_verification(distinct, experiment.verify_top, repeats))
    make_repeat(state, campaign, run.of, run.repeat);
  share_stages(state, trials_from(campaign, first));
}

void make_tolerance_trials(CoreState& state, Campaign& campaign,
                           const std::vector<TrialId>& ranked) {
  const std::size_t first = campaign.trials.size();
  campaign.record.state = CampaignState::kScaling;
  state.write(campaign.record);
  const Experiment& experiment = campaign.experiment;
  for (const ScaledRun& run : plan_tolerance(distinct_of(state, ranked), experiment.tolerance_top,
                                             experiment.tolerance_scales)) {
    if (has_run(state, campaign, TrialPhase::kTolerance, run.of, 0, run.scale)) continue;
    TrialRecord trial = state.trials.at(run.of);
    trial.phase = TrialPhase::kTolerance;
    trial.verifies = run.of;
    trial.scale = run.scale;
    trial.policy = scaled(std::move(trial.policy), run.scale);
    const TrialId id = add_trial(state, campaign, std::move(trial));
    state.decide(campaign.record.id, run.of, "scaled", {{"scale", run.scale}, {"trial", id.value}});
  }
  share_stages(state, trials_from(campaign, first));
}

}  // namespace lrtune

// Runs that begin alike share the jobs of their beginning. A job that goes on from another one
// waits until that one has reached its end; its worker finds the state there by its name, with all
// metric points before it, and so reports a whole run whatever it trained itself. That makes the
// results the same bits with and without sharing.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "common/policy/policy_json.h"
#include "coordinator/core/core_state.h"
#include "coordinator/tuning/stage_plan.h"

namespace lrtune {
namespace {

void use_job(Job& job, Campaign& campaign, std::int64_t trials) {
  const auto is_its = [&](const JobUse& use) { return use.campaign == campaign.record.id; };
  auto use = std::find_if(job.uses.begin(), job.uses.end(), is_its);
  if (use == job.uses.end()) use = job.uses.insert(use, {campaign.record.id, 0});
  const bool before = use->trials > 0;
  use->trials += trials;
  const bool after = use->trials > 0;
  if (!after) job.uses.erase(use);
  if (before == after) return;
  const std::int64_t sign = after ? 1 : -1;
  campaign.iterations_total += sign * job.own_iterations();
  if (job.ended()) campaign.iterations_ended += sign * job.own_iterations();
  if (job.held()) campaign.running += sign;
}

// `job`, which is pending, goes on from the end of `stage` from now on.
void go_on_from(CoreState& state, Job& job, Job& stage) {
  dequeue(state, job);
  const std::vector<JobUse> uses = job.uses;
  const auto use_all = [&](JobId first, std::int64_t sign) {
    if (!first) return;
    for (const JobUse& use : uses) {
      use_jobs(state, state.jobs.at(first), state.campaigns.at(use.campaign), sign * use.trials);
    }
  };
  if (job.record.after) std::erase(state.jobs.at(job.record.after).next, job.record.id);
  use_all(job.record.after, -1);
  const std::int64_t fewer = stage.record.iterations - job.record.from_iteration;
  for (const JobUse& use : uses) state.campaigns.at(use.campaign).iterations_total -= fewer;
  job.record.after = stage.record.id;
  job.record.from_iteration = stage.record.iterations;
  stage.next.push_back(job.record.id);
  use_all(stage.record.id, +1);
  if (job.first_trial) note_first_trial(state, stage, job.first_trial);
  state.write(job.record);
}

// What runs must have in common to share a beginning.
using Likeness =
    std::tuple<Digest, std::uint64_t, std::int64_t, Part, std::int64_t, std::int64_t, std::string>;

Likeness likeness(const TrialRecord& trial) {
  const RunPlan& plan = trial.plan;
  const bool stops = plan.stop_at_target && plan.target;
  return {trial.identity,
          trial.seed,
          plan.evaluate_every,
          plan.evaluate_on,
          plan.train_subset,
          plan.m_opt_every,
          stops ? to_json(*plan.target).dump() : ""};
}

// One trial of each pending job. How far a run with a time limit comes depends on the machine, and
// how far the rates of reactive ones are the same shows when they are trained.
std::map<Likeness, std::vector<TrialId>> alike(const CoreState& state,
                                               const std::vector<TrialId>& trials) {
  std::map<Likeness, std::vector<TrialId>> groups;
  std::set<JobId> seen;
  for (const TrialId id : trials) {
    const TrialRecord& trial = state.trials.at(id);
    const Job& job = state.jobs.at(trial.job);
    if (trial.plan.max_seconds || trial.policy.reactive()) continue;
    if (job.record.state != JobState::kPending) continue;
    if (seen.insert(trial.job).second) groups[likeness(trial)].push_back(id);
  }
  return groups;
}

void follow(CoreState& state, JobId job_id, JobId stage_id) {
  Job& job = state.jobs.at(job_id);
  Job& stage = state.jobs.at(stage_id);
  const bool leads_on = !stage.ended() || stage.reached_end();
  if (job_id == stage_id || job.record.state != JobState::kPending || !leads_on) return;
  if (stage.record.iterations > job.record.from_iteration) go_on_from(state, job, stage);
}

void share_among(CoreState& state, const std::vector<TrialId>& trials) {
  std::vector<SharedRun> runs;
  for (const TrialId id : trials) {
    const TrialRecord& trial = state.trials.at(id);
    runs.push_back({&trial.policy, trial.plan.iterations});
  }
  const StagePlan plan = plan_stages(runs, state.trials.at(trials.front()).plan.evaluate_every);
  std::vector<JobId> stages;
  for (const SharedStage& stage : plan.stages) {
    TrialRecord beginning = state.trials.at(trials[stage.run]);
    beginning.plan.iterations = stage.end;
    Job& job = job_for(state, beginning);
    revive_failed(state, job);
    note_first_trial(state, job, beginning.id);
    stages.push_back(job.record.id);
    if (stage.parent) follow(state, job.record.id, stages[*stage.parent]);
  }
  for (std::size_t run = 0; run < trials.size(); ++run) {
    if (plan.from[run]) follow(state, state.trials.at(trials[run]).job, stages[*plan.from[run]]);
  }
}

// The points that the run of `job` would have had, were it trained alone. If it was, and came back,
// its last attempt has the first of them.
void take_points(CoreState& state, Job& job, const Job& stage) {
  const RunPlan& plan = state.first_trial(job).plan;
  const std::vector<MetricPoint> recorded = std::exchange(job.points, {});
  const auto is_recorded = [&](const MetricPoint& point) {
    return std::ranges::any_of(
        recorded, [&](const MetricPoint& one) { return one.iteration == point.iteration; });
  };
  for (const MetricPoint& point : stage.points) {
    if (point.iteration % plan.evaluate_every != 0) continue;
    job.points.push_back(point);
    if (is_recorded(point)) continue;
    state.write(
        PointRecord{job.record.id, job.record.attempt, plan.evaluate_on, plan.train_subset, point});
  }
}

}  // namespace

void use_jobs(CoreState& state, Job& job, Campaign& campaign, std::int64_t trials) {
  for (Job* one : path_to(state, job)) use_job(*one, campaign, trials);
}

void note_first_trial(CoreState& state, Job& job, TrialId trial) {
  for (Job* one : path_to(state, job)) {
    if (!one->first_trial) one->first_trial = trial;
  }
}

std::vector<Job*> path_to(CoreState& state, Job& job) {
  std::vector<Job*> path = {&job};
  while (path.back()->record.after) path.push_back(&state.jobs.at(path.back()->record.after));
  return path;
}

bool is_ready(const CoreState& state, const Job& job) {
  return !job.record.after || state.jobs.at(job.record.after).reached_end();
}

void share_stages(CoreState& state, const std::vector<TrialId>& trials) {
  if (!state.options.share_stages) return;
  for (const auto& [key, group] : alike(state, trials)) {
    if (group.size() > 1) share_among(state, group);
  }
  for (const TrialId id : trials) {
    Job& job = state.jobs.at(state.trials.at(id).job);
    if (job.record.state == JobState::kPending) enqueue(state, job);
  }
}

// It ended early by what its beginning did: each run that begins so ends so.
void end_next(CoreState& state, const Job& job) {
  const std::vector<JobId> next = job.next;  // an end may make trials that go on from here
  for (const JobId id : next) {
    Job& follower = state.jobs.at(id);
    if (follower.record.state != JobState::kPending) continue;
    if (job.reached_end()) {
      if (state.needed(follower)) enqueue(state, follower);
      continue;
    }
    Outcome outcome = *job.record.outcome;
    if (outcome.kind == OutcomeKind::kFailed)
      outcome.message = "the beginning that it shares with others failed: " + outcome.message;
    if (follower.first_trial) take_points(state, follower, job);
    end_job(state, follower, std::move(outcome));
  }
}

std::vector<TrialId> shown_trials(const CoreState& state, const Job& job) {
  if (!job.trials.empty()) return job.trials;
  std::vector<TrialId> shown;
  for (const JobUse& use : job.uses) {
    if (state.first_trial(job).campaign == use.campaign) shown.push_back(job.first_trial);
  }
  return shown;
}

}  // namespace lrtune

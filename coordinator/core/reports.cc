#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "common/policy/run_rates.h"
#include "common/state_name.h"
#include "coordinator/core/core_state.h"
#include "coordinator/ranking/ranking.h"

namespace lrtune {
namespace {

// The job whose current attempt `worker` reports of. A report of any other attempt is stale and
// changes nothing: the worker is told to stop and forget it.
template <typename Report>
Job* current(CoreState& state, Worker& worker, const Report& report) {
  const auto it = state.jobs.find(report.job);
  if (it != state.jobs.end()) {
    Job& job = it->second;
    if (job.record.attempt == report.attempt && is_held_by(state, worker, job)) return &job;
  }
  ++state.out.facts.reports_stale;
  state.send(worker.peer, wire::Cancel{report.job, report.attempt, "this attempt was given up"});
  return nullptr;
}

// What its worker does not send within a lease it has not any more, and nothing can follow.
void wait_for_missing(CoreState& state, Worker& worker, Job& job) {
  if (!job.gap_since) job.gap_since = state.now.steady;
  if (state.now.steady - *job.gap_since < state.options.lease) return;
  job.gap_since.reset();
  state.send(worker.peer, wire::Cancel{job.record.id, job.record.attempt,
                                       "reports are missing that were acknowledged"});
  requeue(
      state, job,
      fmt::format("worker {} has no report {} of it any more", worker.name, job.points.size() + 1),
      AttemptEnd::kReturned);
}

// Numbered reports. A repeated one is acknowledged again; one that follows a gap is left to be sent
// again.
template <typename Report>
Job* next_report(CoreState& state, Worker& worker, const Report& report) {
  const auto it = state.jobs.find(report.job);
  const bool recorded_and_ended =
      it != state.jobs.end() && it->second.ended() && it->second.record.attempt == report.attempt;
  if (recorded_and_ended) {
    ++state.out.facts.reports_repeated;
    state.send(worker.peer, wire::Acknowledge{report.job, report.attempt, report.sequence});
    return nullptr;
  }
  Job* job = current(state, worker, report);
  if (job == nullptr) return nullptr;
  const auto recorded = static_cast<std::int64_t>(job->points.size());
  if (report.sequence <= recorded) {
    ++state.out.facts.reports_repeated;
    state.send(worker.peer, wire::Acknowledge{report.job, report.attempt, recorded});
  }
  if (report.sequence > recorded + 1) return wait_for_missing(state, worker, *job), nullptr;
  if (report.sequence <= recorded) return nullptr;
  job->gap_since.reset();
  return job;
}

bool is_finite(const std::optional<Confidence>& confidence) {
  return !confidence || (std::isfinite(confidence->mean) && std::isfinite(confidence->deviation) &&
                         std::isfinite(confidence->class_deviation));
}

bool is_finite(const MoptValue& value) {
  return std::isfinite(value.learning_rate) && std::isfinite(value.m_opt.value_or(0));
}

bool is_finite(const MetricPoint& point) {
  const std::array<double, 9> numbers = {
      point.learning_rate,  point.train_seconds,  point.evaluate_seconds,
      point.train.loss,     point.train.top1,     point.train.top5,
      point.evaluated.loss, point.evaluated.top1, point.evaluated.top5};
  return is_finite(point.train.confidence) && is_finite(point.evaluated.confidence) &&
         std::all_of(point.m_opt.begin(), point.m_opt.end(),
                     [](const MoptValue& value) { return is_finite(value); }) &&
         std::all_of(numbers.begin(), numbers.end(),
                     [](double number) { return std::isfinite(number); });
}

void set_running(CoreState& state, Worker& worker, Job& job) {
  if (job.record.state == JobState::kRunning) return;
  note_round_trip(state, worker, job);
  job.started_at = state.now.steady;
  job.record.state = JobState::kRunning;
  state.write(job.record);
}

void note_best(CoreState& state, const Job& job, const MetricPoint& point) {
  for (const TrialId id : job.trials) {
    Campaign& campaign = state.campaigns.at(state.trials.at(id).campaign);
    if (campaign.best_top1 && point.evaluated.top1 <= *campaign.best_top1) continue;
    campaign.best_top1 = point.evaluated.top1;
    campaign.best_trial = id;
  }
}

JobState state_after_outcome(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kCompleted:
    case OutcomeKind::kTargetReached:
    case OutcomeKind::kTimeLimit:
      return JobState::kDone;
    case OutcomeKind::kDiverged:
      return JobState::kDiverged;
    case OutcomeKind::kFailed:
    case OutcomeKind::kStopped:
    case OutcomeKind::kFailedHere:
      return JobState::kFailed;
  }
  return JobState::kFailed;
}

// A finished run must have applied exactly the rates that its policy says, and as many as it says.
std::string chain_error(const CoreState& state, const Job& job, const Outcome& outcome) {
  const TrialRecord& trial = state.first_trial(job);
  const bool reactive = trial.policy.reactive();
  if (reactive && !(outcome.realised && may_realise(*trial.policy.plateau, *outcome.realised)))
    return "the worker does not say which rates of its functions the controller applied";
  const Policy& applied = reactive ? *outcome.realised : trial.policy;
  Digest expected = job.record.to_state;
  if (outcome.kind != OutcomeKind::kCompleted) {
    if (outcome.iteration < 0 || outcome.iteration > job.record.iterations)
      return "it ended past its length";
    expected = state_after(job.record.from_state, applied, 0, outcome.iteration);
  } else if (outcome.iteration != job.record.iterations) {
    return fmt::format("it completed at iteration {} of {}", outcome.iteration,
                       job.record.iterations);
  } else if (reactive) {
    expected = state_after(job.record.from_state, applied, 0, outcome.iteration);
  }
  if (outcome.state == expected) return {};
  return fmt::format(
      "the learning rates that the worker applied lead to state {}, those of the policy to {}",
      outcome.state.hex().substr(0, 12), expected.hex().substr(0, 12));
}

FlatJson outcome_numbers(const CoreState& state, const Job& job) {
  const Outcome& outcome = *job.record.outcome;
  const Scores scores = score(job.points, outcome.kind, state.first_trial(job).plan.target);
  std::vector<FlatJson::Entry> more = {{"iteration", outcome.iteration},
                                       {"attempt", job.record.attempt}};
  if (job.record.from_iteration > 0) more.push_back({"from", job.record.from_iteration});
  if (!outcome.message.empty()) more.push_back({"message", outcome.message});
  return to_flat_json(scores, RankAt::kBest, more);
}

}  // namespace

void forget_orphan(CoreState& state, const Job& job) {
  if (state.orphans.erase(job.record.id) == 0) return;
  const auto of_worker = state.orphans_of.find(job.record.worker);
  of_worker->second.erase(job.record.id);
  if (of_worker->second.empty()) state.orphans_of.erase(of_worker);
}

void release(CoreState& state, Job& job) {
  if (const auto it = state.workers.find(job.holder); it != state.workers.end()) {
    Worker& worker = it->second;
    worker.jobs.erase(job.record.id);
    worker.settle();
    note_room(state, worker);
    dismiss_if_drained(state, worker);
  }
  job.holder.clear();
  if (state.held.erase(job.record.id) > 0) count_running(state, job, -1);
  forget_orphan(state, job);
}

void end_job(CoreState& state, Job& job, Outcome outcome) {
  release(state, job);
  const std::int64_t planned = job.own_iterations();
  job.record.state = state_after_outcome(outcome.kind);
  job.record.outcome = std::move(outcome);
  for (Campaign* campaign : state.campaigns_of(job)) {
    campaign->iterations_total += job.own_iterations() - planned;
    campaign->iterations_ended += job.own_iterations();
  }
  state.write(job.record);
  state.decide(job, std::string(name_of(job.record.outcome->kind)), outcome_numbers(state, job));
  if (const auto& realised = job.record.outcome->realised) {
    state.decide(
        job, "realised",
        {{"changes", std::ssize(realised->segments) - 1}, {"policy", describe(*realised)}});
  }
  for (const TrialId id : job.trials) {
    TrialRecord& trial = state.trials.at(id);
    if (trial.state <= TrialState::kRunning) {
      set_trial_state(state, trial, trial_state_of(job.record.state));
    } else {
      state.write(trial);  // a cancelled one: SCHEMA.md, bound
    }
  }
  const std::vector<TrialId> ended =
      job.trials;  // ending a phase may make trials that share this job
  end_next(state, job);
  for (const TrialId id : ended) trial_ended(state, state.trials.at(id));
}

void on_started(CoreState& state, Worker& worker, const wire::Started& report) {
  if (Job* job = current(state, worker, report)) set_running(state, worker, *job);
}

void on_progress(CoreState& state, Worker& worker, const wire::Progress& report) {
  Job* job = current(state, worker, report);
  if (job == nullptr) return;
  set_running(state, worker, *job);
  job->iteration = report.iteration;
}

void on_measured(CoreState& state, Worker& worker, const wire::Measured& report) {
  Job* job = next_report(state, worker, report);
  if (job == nullptr) return;
  if (!is_finite(report.point)) {
    end_job(state, *job,
            {OutcomeKind::kFailed, report.point.iteration, report.point.state,
             "the worker reported a number that is not finite"});
    state.send(worker.peer, wire::Cancel{report.job, report.attempt, "its report is not finite"});
    return;
  }
  set_running(state, worker, *job);
  const RunPlan& plan = state.first_trial(*job).plan;
  job->iteration = report.point.iteration;
  job->points.push_back(report.point);
  note_best(state, *job, report.point);
  state.write(
      PointRecord{report.job, report.attempt, plan.evaluate_on, plan.train_subset, report.point});
  state.send(worker.peer, wire::Acknowledge{report.job, report.attempt, report.sequence});
  stop_the_hopeless(state, *job);
}

void on_finished(CoreState& state, Worker& worker, const wire::Finished& report) {
  Job* job = next_report(state, worker, report);
  if (job == nullptr) return;
  const PeerId peer = worker.peer;
  note_end(state, worker, *job);
  Outcome outcome = report.outcome;
  job->iteration = outcome.iteration;
  if (outcome.kind == OutcomeKind::kStopped) {
    requeue(state, *job, fmt::format("worker {} stopped it: {}", worker.name, outcome.message),
            AttemptEnd::kReturned);
  } else if (outcome.kind == OutcomeKind::kFailedHere) {
    job->failed_on.insert(worker.process);
    requeue(state, *job,
            fmt::format("worker {} could not finish it: {}", worker.name, outcome.message),
            worker.death());
  } else {
    const bool ran = state_after_outcome(outcome.kind) == JobState::kDone;
    if (std::string error = ran ? chain_error(state, *job, outcome) : ""; !error.empty()) {
      outcome.kind = OutcomeKind::kFailed;
      outcome.message = std::move(error);
    }
    // Only what was held against the state stands for what was applied.
    const bool checked = outcome.kind != OutcomeKind::kFailed && ran;
    if (!checked || !state.first_trial(*job).policy.reactive()) outcome.realised.reset();
    end_job(state, *job, std::move(outcome));
  }
  state.send(peer, wire::Acknowledge{report.job, report.attempt, report.sequence});
}

namespace {

// The worker gets nothing of that training for a while, each time for twice as long. Jobs that were
// sent ahead are refused together, for the same reason.
void note_refusal(const CoreState& state, Worker& worker, const Job& job,
                  const std::string& reason) {
  constexpr int kMostLeases = 64;
  const SteadyTime now = state.now.steady;
  Worker::Refusal& refusal = worker.refused[state.first_trial(job).identity];
  refusal.reason = reason;
  if (now < refusal.until) return;
  refusal.length =
      std::clamp(2 * refusal.length, state.options.lease, kMostLeases * state.options.lease);
  refusal.until = now + refusal.length;
}

}  // namespace

void on_refused(CoreState& state, Worker& worker, const wire::Refused& report) {
  Job* job = current(state, worker, report);
  if (job == nullptr) return;
  if (report.reason != wire::kAttemptIsOver) note_refusal(state, worker, *job, report.reason);
  state.decide(*job, "refused", {{"worker", worker.name}, {"reason", report.reason}});
  requeue(state, *job, fmt::format("worker {} refused it: {}", worker.name, report.reason),
          AttemptEnd::kReturned);
}

void on_undeliverable(CoreState& state, const event::Undeliverable& event) {
  if (const auto* survey = std::get_if<wire::Survey>(&event.message)) {
    fail_survey(state, survey->survey, event.reason);
  }
  if (const auto* answer = std::get_if<wire::Answer>(&event.message)) {
    answer_error(state, event.peer, answer->request, "the answer cannot be sent: " + event.reason);
  }
  const auto* assign = std::get_if<wire::Assign>(&event.message);
  if (assign == nullptr) return;
  const auto it = state.jobs.find(assign->job);
  if (it == state.jobs.end() || !it->second.held()) return;
  if (it->second.record.attempt != assign->attempt) return;
  end_job(state, it->second,
          {OutcomeKind::kFailed, 0, it->second.record.from_state,
           "it cannot be sent to a worker: " + event.reason});
}

}  // namespace lrtune

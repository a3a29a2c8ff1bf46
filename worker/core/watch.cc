// Threads that make no step: a heartbeat proves the process, not its training threads.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "worker/core/worker_state.h"

namespace lrtune {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

// A declared phase and a survey have so many times the limit of a training thread.
constexpr int kExcused = 10;
// A core that was not stepped for so long stood still with its whole process (SIGSTOP, a suspended
// machine): its threads could make no step either.
constexpr milliseconds kStandstill{5000};
// Before the walltime is over: to report, and to end.
constexpr milliseconds kLastWords{5000};

double seconds(milliseconds time) { return duration<double>(time).count(); }

bool is_watched(const WorkerState& state) { return state.options.watchdog.count() > 0; }

milliseconds step_limit(const WorkerState& state, TrainingPhase phase) {
  return state.options.watchdog * (phase == TrainingPhase::kTraining ? 1 : kExcused);
}

milliseconds stop_limit(const WorkerState& state, TrainingPhase phase) {
  return state.options.stop_within * (phase == TrainingPhase::kCheckpointing ? kExcused : 1);
}

std::optional<WorkerTime> last_moment(const WorkerState& state) {
  if (!state.options.walltime) return std::nullopt;
  return state.born + *state.options.walltime -
         std::min(kLastWords, state.options.leave_before / 2);
}

// A worker that leaves does so within a bound, whatever its threads do; nobody is to blame then.
std::optional<WorkerTime> leaves_without_it_at(const WorkerState& state, const Slot& slot) {
  auto at = last_moment(state);
  if (!state.leaving) return at;
  const WorkerTime since = std::max(state.leaving->since, slot.phase_since);
  return std::min(at.value_or(WorkerTime::max()), since + stop_limit(state, slot.phase));
}

std::optional<WorkerTime> hangs_at(const WorkerState& state, const Slot& slot) {
  if (!is_watched(state)) return std::nullopt;
  return slot.sign_at + step_limit(state, slot.phase);
}

std::optional<WorkerTime> patience_ends(const WorkerState& state, const Slot& slot) {
  if (!slot.running || slot.abandoned) return std::nullopt;
  const auto leaves = leaves_without_it_at(state, slot);
  const auto hangs = hangs_at(state, slot);
  if (!leaves || (hangs && *hangs < *leaves)) return hangs;
  return leaves;
}

void abandon(WorkerState& state, Slot& slot, OutcomeKind kind, std::string reason) {
  slot.abandoned = true;
  if (slot.forgotten) return;
  report_finished(state, *slot.running, {kind, slot.reached, {}, std::move(reason)});
}

void look_at(WorkerState& state, Slot& slot) {
  if (state.leaving || state.now < hangs_at(state, slot).value_or(WorkerTime::max())) {
    return abandon(
        state, slot, OutcomeKind::kStopped,
        fmt::format("its training thread did not stop in time; it was {}", name_of(slot.phase)));
  }
  const double limit = seconds(step_limit(state, slot.phase));
  const std::string what =
      slot.phase == TrainingPhase::kTraining
          ? fmt::format("made no step for {} s, since iteration {}", limit, slot.reached)
          : fmt::format("has been {} for {} s", name_of(slot.phase), limit);
  abandon(state, slot, OutcomeKind::kFailedHere, "its training thread " + what);
  begin_leaving(state,
                fmt::format("the training thread of job {} {}", slot.running->job.value, what),
                kExitDeviceBroken);
}

std::optional<WorkerTime> survey_hangs_at(const WorkerState& state) {
  if (state.surveys.empty() || !is_watched(state) || state.leaving) return std::nullopt;
  return state.survey_sign_at + state.options.watchdog * kExcused;
}

void look_at_surveys(WorkerState& state) {
  if (state.now < survey_hangs_at(state).value_or(WorkerTime::max())) return;
  const std::string what =
      fmt::format("did not end within {} s", seconds(state.options.watchdog * kExcused));
  state.send(wire::Surveyed{*state.surveys.begin(), std::nullopt, "the survey " + what});
  begin_leaving(state, "a survey " + what, kExitDeviceBroken);
}

void excuse_standstill(WorkerState& state) {
  const auto gap = state.now - std::exchange(state.looked_at, state.now);
  if (gap < kStandstill) return;
  for (Slot& slot : state.slots) {
    slot.sign_at += gap;
    slot.phase_since += gap;
  }
  state.survey_sign_at += gap;
  if (state.leaving) state.leaving->since += gap;
}

}  // namespace

void note_phase(WorkerState& state, Slot& slot, TrainingPhase phase) {
  if (phase == slot.phase) return;
  const auto length = std::chrono::ceil<milliseconds>(state.now - slot.phase_since);
  if (slot.phase == TrainingPhase::kLoading)
    state.longest_loading = std::max(state.longest_loading, length);
  if (slot.phase == TrainingPhase::kCheckpointing)
    state.longest_checkpoint = std::max(state.longest_checkpoint, length);
  slot.phase = phase;
  slot.phase_since = state.now;
}

void keep_watch(WorkerState& state) {
  excuse_standstill(state);
  for (Slot& slot : state.slots) {
    const auto ends = patience_ends(state, slot);
    if (ends && state.now >= *ends) look_at(state, slot);
  }
  look_at_surveys(state);
}

std::optional<WorkerTime> watch_deadline(const WorkerState& state) {
  std::optional<WorkerTime> deadline = survey_hangs_at(state);
  for (const Slot& slot : state.slots) {
    const auto ends = patience_ends(state, slot);
    if (ends && (!deadline || *ends < *deadline)) deadline = ends;
  }
  return deadline;
}

std::optional<WorkerTime> time_to_leave(const WorkerState& state) {
  if (!state.options.walltime) return std::nullopt;
  return state.born + *state.options.walltime - state.options.leave_before -
         state.longest_checkpoint;
}

std::optional<std::string> too_late_to_begin(const WorkerState& state) {
  const auto leaves_at = time_to_leave(state);
  if (!leaves_at || state.now + state.longest_loading < *leaves_at) return std::nullopt;
  const auto left = std::chrono::floor<milliseconds>(*leaves_at - state.now);
  return fmt::format("this worker leaves in {} s, a job needed {} s to begin here",
                     std::max(0.0, seconds(left)), seconds(state.longest_loading));
}

}  // namespace lrtune

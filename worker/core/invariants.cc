#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "worker/core/worker_state.h"

namespace lrtune {
namespace {

// The text is made only of a broken one: the simulated cluster asks millions of times.
void require(bool holds, std::string_view what) {
  if (!holds) throw std::logic_error(fmt::format("worker core: {}", what));
}

void require(bool holds, const AttemptKey& key, std::string_view what) {
  if (holds) return;
  throw std::logic_error(
      fmt::format("worker core: job {} attempt {} {}", key.job.value, key.attempt, what));
}

std::int64_t sequence_of(const wire::ToCoordinator& message) {
  if (const auto* measured = std::get_if<wire::Measured>(&message)) return measured->sequence;
  if (const auto* finished = std::get_if<wire::Finished>(&message)) return finished->sequence;
  return 0;
}

bool is_over(const WorkerState& state, const AttemptKey& key) { return state.ended.contains(key); }

void check_slot(const WorkerState& state, const Slot& slot) {
  if (!slot.running) {
    require(!slot.stopping && !slot.forgotten && !slot.started,
            "an empty slot remembers something");
    return;
  }
  const AttemptKey& key = *slot.running;
  require(slot.forgotten || slot.abandoned || state.reports.contains(key), key,
          "trains without a list of reports");
  require(!slot.forgotten || !state.reports.contains(key), key, "is given up and has reports");
  require(!slot.forgotten || slot.stopping, key, "is given up and was not asked to stop");
  if (state.leaving) require(slot.stopping, key, "goes on while the worker leaves");
}

// Nothing waits that could start, and nothing that nobody wants.
void check_waiting(const WorkerState& state, const wire::Assign& waiting) {
  const AttemptKey key = key_of(waiting);
  require(!is_over(state, key), key, "is over and waits for a slot");
  require(!state.leaving, key, "waits though the worker leaves");
  require(state.waiting.of(key.job) == &waiting, key, "is not found by its job");
  const bool older_trains =
      std::any_of(state.slots.begin(), state.slots.end(),
                  [&](const Slot& slot) { return slot.running && slot.running->job == key.job; });
  const bool all_busy = std::all_of(state.slots.begin(), state.slots.end(),
                                    [](const Slot& slot) { return slot.running.has_value(); });
  require(older_trains || all_busy, key, "waits beside a free slot");
}

void check_resends(const WorkerState& state) {
  std::size_t planned = 0;
  for (const auto& [key, reports] : state.reports) {
    if (!reports.resend_at) continue;
    ++planned;
    require(state.resends.contains({*reports.resend_at, key}), key,
            "is not among what is to be sent again");
  }
  require(planned == state.resends.size(), "reports are to be sent again that are not there");
}

void check_reports(const WorkerState& state, const AttemptKey& key, const Reports& reports) {
  const bool trains = std::any_of(state.slots.begin(), state.slots.end(), [&](const Slot& slot) {
    return slot.running == key && !slot.abandoned;
  });
  require(trains != reports.finished, key, "either trains or has finished");
  require(trains || !reports.kept.empty(), key, "is done and still held");
  require(!is_over(state, key), key, "is over and still held");
  auto sequence = reports.next_sequence - static_cast<std::int64_t>(reports.kept.size());
  require(sequence >= 1, key, "keeps more reports than it made");
  for (const Reports::Kept& report : reports.kept) {
    require(sequence_of(report.message) == sequence++, key, "has a gap in its reports");
    const bool last = sequence == reports.next_sequence;
    require(std::holds_alternative<wire::Finished>(report.message) == (last && reports.finished),
            key, "sends more: Finished is the last report, and only it");
  }
}

}  // namespace

void check_worker_invariants(const WorkerState& state) {
  require(state.actions.empty(), "actions are left over from a step");
  if (state.session == Session::kOver) return;  // it may end in the midst of things
  std::set<AttemptKey> seen;
  std::set<JobId> jobs;  // that the coordinator may count on: one attempt each
  for (const Slot& slot : state.slots) {
    check_slot(state, slot);
    // What was given up may have the number of what waits for its thread: of another history.
    if (slot.running && !slot.forgotten)
      require(seen.insert(*slot.running).second, *slot.running, "runs twice");
  }
  for (const auto& [place, waiting] : state.waiting.in_order()) {
    check_waiting(state, waiting);
    require(seen.insert(key_of(waiting)).second, key_of(waiting), "is there twice");
    require(jobs.insert(waiting.job).second, "a job has two attempts here");
  }
  check_resends(state);
  require(state.ended.size() == state.ended_in_order.size(), "attempts ended twice");
  for (const AttemptKey& key : state.given) {
    const wire::Assign* const waiting = state.waiting.of(key.job);
    require(state.reports.contains(key) || (waiting != nullptr && key_of(*waiting) == key), key,
            "is remembered as given and is not here");
  }
  for (const auto& [key, reports] : state.reports) {
    check_reports(state, key, reports);
    require(jobs.insert(key.job).second, "a job has two attempts here");
  }
  require(state.session != Session::kJoined || state.welcomed, "joined without a welcome");
}

}  // namespace lrtune

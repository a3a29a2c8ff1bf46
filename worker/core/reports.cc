#include <algorithm>

#include "worker/core/worker_state.h"

namespace lrtune {
namespace {

constexpr std::size_t kEndedRemembered = 1024;

void transmit(WorkerState& state, Reports::Kept& report) {
  report.sent_at = state.now;
  state.send(report.message);
}

// Sent at once if the coordinator is there; otherwise WELCOME sends it.
void keep(WorkerState& state, Reports& reports, wire::ToCoordinator message) {
  reports.kept.push_back({std::move(message), std::nullopt});
  ++reports.next_sequence;
  if (state.session == Session::kJoined) transmit(state, reports.kept.back());
}

// When the attempt's oldest report must be sent again. The later ones go with it: the coordinator
// takes them only in order.
std::optional<WorkerTime> due(const WorkerState& state, const Reports& reports) {
  if (state.session != Session::kJoined || reports.kept.empty()) return std::nullopt;
  const auto sent_at = reports.kept.front().sent_at;
  return sent_at ? *sent_at + state.options.resend_after : state.now;
}

}  // namespace

void report_measured(WorkerState& state, const AttemptKey& key, const MetricPoint& point) {
  Reports& reports = state.reports[key];
  keep(state, reports, wire::Measured{key.job, key.attempt, reports.next_sequence, point});
}

void report_finished(WorkerState& state, const AttemptKey& key, const Outcome& outcome) {
  Reports& reports = state.reports[key];
  reports.finished = true;
  keep(state, reports, wire::Finished{key.job, key.attempt, reports.next_sequence, outcome});
}

void on_acknowledge(WorkerState& state, const wire::Acknowledge& message) {
  const auto it = state.reports.find(key_of(message));
  if (it == state.reports.end()) return;
  Reports& reports = it->second;
  const auto acknowledged = [&] {
    const auto sequence = reports.next_sequence - static_cast<std::int64_t>(reports.kept.size());
    return sequence <= message.sequence &&
           reports.kept.front().sent_at;  // nobody has seen an unsent one
  };
  while (!reports.kept.empty() && acknowledged()) reports.kept.pop_front();
  if (reports.finished && reports.kept.empty()) forget_attempt(state, key_of(message));
}

void send_all_reports(WorkerState& state) {
  for (auto& [key, reports] : state.reports) {
    for (Reports::Kept& report : reports.kept) transmit(state, report);
  }
}

void send_due_reports(WorkerState& state) {
  for (auto& [key, reports] : state.reports) {
    const auto deadline = due(state, reports);
    if (!deadline || *deadline > state.now) continue;
    for (Reports::Kept& report : reports.kept) transmit(state, report);
  }
}

std::optional<WorkerTime> reports_deadline(const WorkerState& state) {
  std::optional<WorkerTime> earliest;
  for (const auto& [key, reports] : state.reports) {
    const auto deadline = due(state, reports);
    if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
  }
  return earliest;
}

void forget_attempt(WorkerState& state, const AttemptKey& key) {
  state.reports.erase(key);
  if (std::find(state.ended.begin(), state.ended.end(), key) != state.ended.end()) return;
  state.ended.push_back(key);
  if (state.ended.size() > kEndedRemembered) state.ended.pop_front();
}

}  // namespace lrtune

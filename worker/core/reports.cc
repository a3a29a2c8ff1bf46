#include <algorithm>

#include "worker/core/worker_state.h"

namespace lrtune {
namespace {

constexpr std::size_t kEndedRemembered = 4096;  // more than can be sent ahead

void transmit(WorkerState& state, Reports::Kept& report) {
  report.sent_at = state.now;
  state.send(report.message);
}

// The attempt's reports go again when the oldest is due. The later ones go with it: the coordinator
// takes them only in order.
void plan_resend(WorkerState& state, const AttemptKey& key, Reports& reports) {
  std::optional<WorkerTime> at;
  if (!reports.kept.empty() && reports.kept.front().sent_at)
    at = *reports.kept.front().sent_at + state.options.resend_after;
  if (at == reports.resend_at) return;
  if (reports.resend_at) state.resends.erase({*reports.resend_at, key});
  if (at) state.resends.insert({*at, key});
  reports.resend_at = at;
}

// Sent at once if the coordinator is there; otherwise WELCOME sends it.
void keep(WorkerState& state, const AttemptKey& key, Reports& reports,
          wire::ToCoordinator message) {
  reports.kept.push_back({std::move(message), std::nullopt});
  ++reports.next_sequence;
  if (state.session != Session::kJoined) return;
  transmit(state, reports.kept.back());
  plan_resend(state, key, reports);
}

void send_reports(WorkerState& state, const AttemptKey& key, Reports& reports) {
  for (Reports::Kept& report : reports.kept) transmit(state, report);
  plan_resend(state, key, reports);
}

}  // namespace

void report_measured(WorkerState& state, const AttemptKey& key, const MetricPoint& point) {
  Reports& reports = state.reports[key];
  keep(state, key, reports, wire::Measured{key.job, key.attempt, reports.next_sequence, point});
}

void report_finished(WorkerState& state, const AttemptKey& key, const Outcome& outcome) {
  Reports& reports = state.reports[key];
  reports.finished = true;
  keep(state, key, reports, wire::Finished{key.job, key.attempt, reports.next_sequence, outcome});
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
  plan_resend(state, it->first, reports);
  if (reports.finished && reports.kept.empty()) forget_attempt(state, key_of(message));
}

void send_all_reports(WorkerState& state) {
  for (auto& [key, reports] : state.reports) send_reports(state, key, reports);
}

void send_due_reports(WorkerState& state) {
  if (state.session != Session::kJoined) return;
  std::vector<AttemptKey> due;
  for (const auto& [time, key] : state.resends) {
    if (time > state.now) break;
    due.push_back(key);
  }
  for (const AttemptKey& key : due) send_reports(state, key, state.reports.at(key));
}

std::optional<WorkerTime> reports_deadline(const WorkerState& state) {
  if (state.session != Session::kJoined || state.resends.empty()) return std::nullopt;
  return state.resends.begin()->first;
}

void drop_reports(WorkerState& state, const AttemptKey& key) {
  const auto it = state.reports.find(key);
  if (it == state.reports.end()) return;
  if (it->second.resend_at) state.resends.erase({*it->second.resend_at, key});
  state.reports.erase(it);
}

void forget_attempt(WorkerState& state, const AttemptKey& key) {
  drop_reports(state, key);
  if (state.given.erase(key) == 0 || !state.ended.insert(key).second) return;
  state.ended_in_order.push_back(key);
  if (state.ended_in_order.size() <= kEndedRemembered) return;
  state.ended.erase(state.ended_in_order.front());
  state.ended_in_order.pop_front();
}

}  // namespace lrtune

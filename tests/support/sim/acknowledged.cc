#include "tests/support/sim/acknowledged.h"

namespace lrtune::sim {
namespace {

void check_kept(const wire::Measured& report, const SimStore& store) {
  require(store.has_point(report.job, report.attempt, report.point),
          "an acknowledged point is not in the store");
}

// A job that was stopped, or that its machine failed, goes back to the queue: its end is no result.
void check_kept(const wire::Finished& report, const SimStore& store) {
  const OutcomeKind kind = report.outcome.kind;
  if (kind == OutcomeKind::kStopped || kind == OutcomeKind::kFailedHere) return;
  const JobRecord* job = store.job(report.job);
  require(job != nullptr && job->attempt == report.attempt && job->outcome == report.outcome,
          "an acknowledged outcome is not in the store");
}

void check_kept(const wire::ToCoordinator& report, const SimStore& store) {
  if (const auto* measured = std::get_if<wire::Measured>(&report)) check_kept(*measured, store);
  if (const auto* finished = std::get_if<wire::Finished>(&report)) check_kept(*finished, store);
}

}  // namespace

void Acknowledged::add(const wire::ToCoordinator& report, const SimStore& store) {
  if (losses_) return;
  check_kept(report, store);
  const auto keep = [&](const auto& one) {
    reports_.emplace(Key(one.job, one.attempt, one.sequence), report);
  };
  if (const auto* measured = std::get_if<wire::Measured>(&report)) keep(*measured);
  if (const auto* finished = std::get_if<wire::Finished>(&report)) keep(*finished);
}

void Acknowledged::check(const SimStore& store) const {
  for (const auto& [key, report] : reports_) check_kept(report, store);
}

}  // namespace lrtune::sim

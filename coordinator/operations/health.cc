#include "coordinator/operations/health.h"

#include <fmt/format.h>

#include <utility>

namespace lrtune {

Health::Health(std::chrono::milliseconds longest_turn, Clock clock)
    : longest_turn_(longest_turn),
      clock_(std::move(clock)),
      last_turn_(clock_().time_since_epoch().count()) {}

void Health::stamp() { last_turn_ = clock_().time_since_epoch().count(); }

void Health::loading() {
  phase_ = Phase::kLoading;
  stamp();
}

void Health::loaded() {
  phase_ = Phase::kServing;
  stamp();
}

void Health::turned() { stamp(); }

void Health::commits(bool worked) { commits_ = worked; }

void Health::stopping() { phase_ = Phase::kStopping; }

std::chrono::duration<double> Health::since_turn() const {
  return clock_() - Time(Time::duration(last_turn_));
}

Health::Finding Health::live() const {
  if (phase_ == Phase::kStarting) return {true, "starts"};
  const auto since = since_turn();
  if (since > longest_turn_) {
    return {false,
            fmt::format("the coordinator's loop has not turned for {:.1f} s (at most {:.1f})",
                        since.count(), std::chrono::duration<double>(longest_turn_).count())};
  }
  return {true, "the coordinator's loop turns"};
}

Health::Finding Health::ready() const {
  switch (phase_) {
    case Phase::kStarting:
      return {false, "starts: the store is not open yet"};
    case Phase::kLoading:
      return {false, "reads the store"};
    case Phase::kStopping:
      return {false, "is stopping"};
    case Phase::kServing:
      break;
  }
  if (!commits_) return {false, "the newest commit failed, the store cannot be written"};
  if (Finding finding = live(); !finding.good) return finding;
  return {true, "ready"};
}

}  // namespace lrtune

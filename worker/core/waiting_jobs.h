// Assignments that wait for a slot, in the order of their coming, at most one a job. All calls take
// time logarithmic in their number: hundreds wait where jobs are short.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "common/wire/messages.h"

namespace lrtune {

class WaitingJobs {
 public:
  bool empty() const { return in_order_.empty(); }
  std::size_t size() const { return in_order_.size(); }
  const std::map<std::int64_t, wire::Assign>& in_order() const { return in_order_; }

  const wire::Assign* of(JobId job) const {
    const auto place = places_.find(job);
    return place == places_.end() ? nullptr : &in_order_.at(place->second);
  }

  // REQUIRES: nothing of its job waits.
  void push_back(wire::Assign assignment) {
    insert(in_order_.empty() ? 0 : in_order_.rbegin()->first + 1, std::move(assignment));
  }
  void push_front(wire::Assign assignment) {
    insert(in_order_.empty() ? 0 : in_order_.begin()->first - 1, std::move(assignment));
  }

  // REQUIRES: an assignment of its job waits. The new one has its place.
  void replace(wire::Assign assignment) {
    in_order_.at(places_.at(assignment.job)) = std::move(assignment);
  }

  void remove(JobId job) {
    const auto place = places_.find(job);
    if (place == places_.end()) return;
    in_order_.erase(place->second);
    places_.erase(place);
  }

  // The first one that `may_start`, which then waits no longer.
  template <typename Predicate>
  std::optional<wire::Assign> take_first(const Predicate& may_start) {
    for (auto it = in_order_.begin(); it != in_order_.end(); ++it) {
      if (!may_start(it->second)) continue;
      std::optional<wire::Assign> taken = std::move(it->second);
      places_.erase(taken->job);
      in_order_.erase(it);
      return taken;
    }
    return std::nullopt;
  }

 private:
  void insert(std::int64_t place, wire::Assign assignment) {
    places_[assignment.job] = place;
    in_order_.emplace(place, std::move(assignment));
  }

  std::map<std::int64_t, wire::Assign> in_order_;  // by place
  std::map<JobId, std::int64_t> places_;
};

}  // namespace lrtune

// Virtual time: what is due is done in the order of its time, and of its planning among equals.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "tests/support/sim/sim_random.h"

namespace lrtune::sim {

class EventLoop {
 public:
  Duration now() const { return now_; }

  void after(Duration delay, std::function<void()> action) {
    queue_.push({now_ + delay, next_++, std::move(action)});
  }

  // False: nothing is planned any more.
  bool run_one() {
    if (queue_.empty()) return false;
    auto action = std::move(const_cast<Planned&>(queue_.top()).action);
    now_ = queue_.top().at;
    queue_.pop();
    action();
    return true;
  }

 private:
  struct Planned {
    Duration at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator<(const Planned& other) const {  // priority_queue has its greatest on top
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };
  Duration now_{0};
  std::uint64_t next_ = 0;
  std::priority_queue<Planned> queue_;
};

}  // namespace lrtune::sim

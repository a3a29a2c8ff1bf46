// How often a peer may say hello. Each hello costs the core a look at all that the worker holds, a
// line in the log, and a name to remember.
#pragma once

#include <cstddef>
#include <map>

#include "coordinator/core/core.h"

namespace lrtune {

// One thread.
class GreetingBudget {
 public:
  // A hello costs 100 and 1 for each job that the worker says it holds. A peer has a million, and
  // gets 10,000 a second: a worker that greeted through a long stall of the coordinator is far
  // below.
  static constexpr double kMost = 1e6;
  static constexpr double kASecond = 1e4;
  static constexpr double kGreeting = 100;

  explicit GreetingBudget(double most = kMost) : most_(most) {}

  // False: the peer has said too many.
  bool pays(const PeerId& peer, std::size_t held, SteadyTime now);

 private:
  struct Account {
    double left;
    SteadyTime at;
  };
  double with_income(const Account& account, SteadyTime now) const;

  double most_;
  std::map<PeerId, Account> accounts_;  // of those that have less than that, or had lately
};

}  // namespace lrtune

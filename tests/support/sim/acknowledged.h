// What workers were told is recorded: they have forgotten it, so the store must have it from then
// on.
#pragma once

#include <map>
#include <tuple>

#include "common/wire/messages.h"
#include "tests/support/sim/sim_store.h"

namespace lrtune::sim {

class Acknowledged {
 public:
  // The acknowledgement of `report`, a Measured or a Finished, has reached its worker. Throws
  // Violation if the store does not have it.
  void add(const wire::ToCoordinator& report, const SimStore& store);

  // Throws Violation if the store has lost any of it.
  void check(const SimStore& store) const;

  // From now on the store is replaced by others, which have lost what they have lost.
  void expect_losses() { losses_ = true; }

 private:
  using Key = std::tuple<JobId, Attempt, std::int64_t>;  // the last: its sequence
  std::map<Key, wire::ToCoordinator> reports_;
  bool losses_ = false;
};

}  // namespace lrtune::sim

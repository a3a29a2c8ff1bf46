// The learning rates that a run applies, iteration by iteration: of an ordinary policy its own, of
// a reactive one those of the function that its controller has turned to by then.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "common/policy/plateau.h"
#include "common/policy/policy.h"

namespace lrtune {

// From `iteration` on the run applies functions[index].
struct PlateauChange {
  std::int64_t iteration = 0;
  std::size_t index = 0;
  bool operator==(const PlateauChange&) const = default;
};

// The controller of a run and what it has done: all that must be kept to go on.
struct PlateauRun {
  PlateauState state;
  std::vector<PlateauChange> changes;  // ascending; at most two for each function
  bool operator==(const PlateauRun&) const = default;
};

// The rates that `run` has applied so far, and goes on with from its last change, as an ordinary
// policy. Each segment starts with the t at which the run entered it, so that it keeps its phase.
// Changes at `iterations` or later are not in it: no step was made with them.
Policy realised(const Plateau& plateau, const PlateauRun& run, std::int64_t iterations);

// Whether `policy` is made of the controller's functions as realised() makes it: what a worker may
// say that a run of it has applied.
bool may_realise(const Plateau& plateau, const Policy& policy);

class RunRates {
 public:
  // `policy` outlives it.
  explicit RunRates(const Policy& policy);

  // Of iteration `t` >= 0. Reactive: REQUIRES `t` not to lie before the last observation.
  double at(std::int64_t t) const;

  // Whether the controller wants to see the metric of the state after `iteration` iterations. At 0
  // it does not: nothing was trained yet that could have improved.
  bool observes(std::int64_t iteration) const;
  void observe(std::int64_t iteration, double value);  // REQUIRES: observes(iteration)

  // Nothing to keep of an ordinary policy: empty.
  const PlateauRun& controller() const { return run_; }
  void restore(PlateauRun run) { run_ = std::move(run); }

  // What was applied in the first `iterations` iterations, as an ordinary policy.
  Policy applied(std::int64_t iterations) const;

 private:
  const Policy& policy_;
  PlateauRun run_;
};

}  // namespace lrtune

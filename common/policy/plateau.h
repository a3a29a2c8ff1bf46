// Change-LR-On-Plateau: Algorithm 1 of Wu & Liu, with LRBench's test for a plateau. A controller
// over a list of LR functions, the highest rates first, that sees one value at each observation:
//
//   plateau      more than `window` values were seen, and the largest improvement from one to the
//                next among the last `window` of them is below `threshold`. A loss improves by
//                falling, an accuracy by rising
//   on a plateau, counter 0
//                counter = cooldown, and the index moves: t/T < 0.8: one up the list, to higher
//                rates; else one down. At the ends of the list it stays
//   otherwise    a counter above 0 falls by one
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/policy/policy.h"

namespace lrtune {

// What a controller knows. Part of the state of a run: a checkpoint keeps it.
struct PlateauState {
  std::vector<double> history;  // the newest window + 1 values, the newest last
  std::size_t index = 0;        // of the current function
  std::int64_t counter = 0;     // of the cooldown
  bool operator==(const PlateauState&) const = default;
};

PlateauState initial_state_of(const Plateau& plateau);

// Whether the values that `state` has seen are a plateau.
bool on_plateau(const Plateau& plateau, const PlateauState& state);

// Takes `value`, finite, measured after `iteration` iterations; state.index is the function from
// there on.
void observe(const Plateau& plateau, PlateauState& state, std::int64_t iteration, double value);

}  // namespace lrtune

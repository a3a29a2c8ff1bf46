// The name of a state: SHA-256 chained over the training identity, the seed and the learning rates
// applied so far. It says everything that made the state, so equal names mean equal weights
// (docs/ARCHITECTURE.md, The one idea).
//   name(0)   = SHA-256("lrtune state 1" | 0 | identity digest | seed, 8 bytes little end first)
//   name(t+1) = SHA-256(name(t) | bits of the learning rate of iteration t, 8 bytes little end
//   first)
//
// The rates of a reactive policy are known only when they are applied, so a run with one cannot
// look for its states by such names. It keeps them under names that say what decided its rates,
// which is what its controller's state is a function of:
//   plan     = SHA-256("lrtune reactive 1" | 0 | name(0) | controller | what it looks at)
//   name(t)  = SHA-256(plan | t, 8 bytes little end first)
#pragma once

#include <cstdint>

#include "common/hash.h"
#include "common/policy/policy.h"

namespace lrtune {

Digest initial_state(const Digest& identity, std::uint64_t seed);
Digest next_state(const Digest& state, double learning_rate);

// The state after iterations [from, to) of `policy`, which is not reactive, starting in `state`.
// About 0.2 us an iteration.
Digest state_after(Digest state, const Policy& policy, std::int64_t from, std::int64_t to);

// `controller` is the digest of the policy's document and of how its metric is measured.
Digest reactive_plan(const Digest& initial, const Digest& controller);
Digest reactive_state(const Digest& plan, std::int64_t iteration);

}  // namespace lrtune

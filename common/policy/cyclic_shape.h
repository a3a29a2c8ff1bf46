// What the 27 cyclic LR functions are made of (docs/POLICIES.md): nine waves, each plain, halved or
// with a power of gamma.
#pragma once

#include <cstdint>

#include "common/policy/policy.h"

namespace lrtune {

struct CyclicShape {
  enum class Wave : std::uint8_t { kLinear, kSine, kSineSquared };
  enum class Envelope : std::uint8_t { kNone, kHalving, kExponential };
  Wave wave = Wave::kLinear;
  Envelope envelope = Envelope::kNone;
  bool sawtooth = false;  // the rsw family: a wave of length l that jumps
  bool shifted = false;   // the wave is taken at t + l: dtri, dsin, and cos against upcos
};

// `kind` must be of the cyclic family.
CyclicShape cyclic_shape(LrFunctionKind kind);

}  // namespace lrtune

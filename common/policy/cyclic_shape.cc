#include "common/policy/cyclic_shape.h"

namespace lrtune {

CyclicShape cyclic_shape(LrFunctionKind kind) {
  using enum LrFunctionKind;
  // The cyclic kinds stand in the enumeration as nine waves, each plain, *2, *exp.
  const int variant = (static_cast<int>(kind) - static_cast<int>(kTri)) % 3;
  const auto plain = static_cast<LrFunctionKind>(static_cast<int>(kind) - variant);
  CyclicShape shape;
  shape.envelope = static_cast<CyclicShape::Envelope>(variant);
  if (plain == kSin || plain == kDsin || plain == kSinrsw) shape.wave = CyclicShape::Wave::kSine;
  // (1 + cos(2a)) / 2 is cos(a)^2, which keeps its precision near zero.
  if (plain == kCos || plain == kUpcos || plain == kCosrsw) {
    shape.wave = CyclicShape::Wave::kSineSquared;
  }
  shape.sawtooth = plain == kRsw || plain == kSinrsw || plain == kCosrsw;
  shape.shifted = plain == kDtri || plain == kDsin || plain == kCos;
  return shape;
}

}  // namespace lrtune

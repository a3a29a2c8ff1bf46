#include "coordinator/ranking/stretch.h"

#include <algorithm>
#include <cmath>

#include "common/policy/portable_math.h"

namespace lrtune {
namespace {

// As large as lengths may be (docs/POLICIES.md).
constexpr double kMostLength = 0x1p53;

std::int64_t length(std::int64_t old, double ratio, std::int64_t least) {
  const double stretched = std::min(static_cast<double>(old) * ratio, kMostLength);
  return std::max<std::int64_t>(std::llround(stretched), least);
}

// gamma counts each iteration, or each step of l.
bool gamma_counts_iterations(LrFunctionKind kind) {
  return kind == LrFunctionKind::kExp ||
         (family_of(kind) == LrFamily::kCyclic && name_of(kind).ends_with("exp"));
}

void stretch(LrFunction& f, double ratio) {
  using enum LrFunctionKind;
  f.l = length(f.l, ratio, f.l == 0 ? 0 : 1);
  std::int64_t after = 0;
  for (std::int64_t& boundary : f.boundaries) after = boundary = length(boundary, ratio, after + 1);
  if (f.kind == kInv || f.kind == kSig) {
    f.gamma /= ratio;
  } else if (gamma_counts_iterations(f.kind)) {
    f.gamma = power_of(f.gamma, 1 / ratio);
  }
}

}  // namespace

Policy stretched(Policy policy, double ratio) {
  if (ratio == 1) return policy;
  if (policy.plateau) {
    for (LrFunction& function : policy.plateau->functions) stretch(function, ratio);
    policy.plateau->every = length(policy.plateau->every, ratio, 1);
    policy.plateau->length = length(policy.plateau->length, ratio, 1);
  }
  std::int64_t start = 0;
  for (Segment& segment : policy.segments) {
    stretch(segment.function, ratio);
    segment.from_t = length(segment.from_t, ratio, 0);
    if (segment.until != kNoEnd) start = segment.until = length(segment.until, ratio, start + 1);
  }
  return policy;
}

}  // namespace lrtune

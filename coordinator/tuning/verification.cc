#include "coordinator/tuning/verification.h"

#include <algorithm>

namespace lrtune {

std::vector<VerificationRun> plan_verification(std::span<const TrialId> ranked, int top,
                                               int repeats) {
  std::vector<VerificationRun> runs;
  if (top <= 0 || repeats <= 0) return runs;
  const std::size_t policies = std::min(ranked.size(), static_cast<std::size_t>(top));
  runs.reserve(policies * static_cast<std::size_t>(repeats));
  for (std::uint32_t repeat = 1; repeat <= static_cast<std::uint32_t>(repeats); ++repeat) {
    for (TrialId trial : ranked.first(policies)) runs.push_back({.of = trial, .repeat = repeat});
  }
  return runs;
}

}  // namespace lrtune

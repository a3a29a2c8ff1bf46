#include "coordinator/tuning/tolerance.h"

#include <algorithm>

namespace lrtune {

std::vector<ScaledRun> plan_tolerance(std::span<const TrialId> ranked, int top,
                                      std::span<const double> scales) {
  std::vector<ScaledRun> runs;
  const std::size_t policies = std::min(ranked.size(), static_cast<std::size_t>(std::max(0, top)));
  for (const TrialId trial : ranked.first(policies)) {
    for (const double scale : scales) {
      if (scale != 1) runs.push_back({trial, scale});
    }
  }
  return runs;
}

}  // namespace lrtune

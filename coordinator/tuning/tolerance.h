// A policy's tolerance to its base learning rate: the same policy with all rates scaled (paper,
// section 3: robustness). Pure.
#pragma once

#include <span>
#include <vector>

#include "common/ids.h"

namespace lrtune {

struct ScaledRun {
  TrialId of;  // the search trial whose policy is scaled
  double scale = 1;
};

// `ranked`: search trials that ended well, best first. All scales of the best come first. Scale 1
// is the search trial itself, so nothing is planned for it.
std::vector<ScaledRun> plan_tolerance(std::span<const TrialId> ranked, int top,
                                      std::span<const double> scales);

}  // namespace lrtune

// Top-N verification: the N best policies of a search run again with new seeds, all side by side.
// Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/ids.h"

namespace lrtune {

// Of each policy before anybody asks whether the order is settled: fewer tell nothing.
inline constexpr int kFirstRepeats = 2;

struct VerificationRun {
  TrialId of;                // the search trial whose policy is repeated
  std::uint32_t repeat = 0;  // 1 ... repeats; the seed follows from it
};

// `ranked`: search trials that ended well, best first. Repeat 1 of each comes before repeat 2 of
// any, so that the comparison is fair at any time.
std::vector<VerificationRun> plan_verification(std::span<const TrialId> ranked, int top,
                                               int repeats);

}  // namespace lrtune

// Makes the verdicts of `lrtune verify` and `compose` about a campaign's policies again, from the
// results of the campaigns that they rest on, and holds them against those that were recorded.
// Pure.
#pragma once

#include <span>
#include <string>

#include "coordinator/core/records.h"

namespace lrtune {

struct VerdictReplay {
  int verdicts = 0;        // that were made again
  int untold = 0;          // recorded by a version that did not name the campaigns
  int outdated = 0;        // what they rest on was extended
  std::string difference;  // the first one, as a sentence; empty: all is the same
};

// `verdicts`: CampaignHistory::verdicts. What is not made again is which policies of the store
// phase 2 took to compare with: the store of that moment is not kept, what was taken is.
VerdictReplay replay_verdicts(const StoredState& stored, std::span<const DecisionRecord> verdicts);

}  // namespace lrtune

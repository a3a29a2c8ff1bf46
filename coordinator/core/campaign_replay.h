// Makes the decisions of a campaign again from what the store says was known - its search, its
// stops, its rankings, what it repeated - and holds them against those that were carried out. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/result.h"
#include "coordinator/core/records.h"

namespace lrtune {

struct CampaignReplay {
  std::int64_t candidates = 0;  // whose policies and lengths were made again
  std::int64_t promotions = 0;
  std::int64_t results = 0;  // by which promotions and proposals were decided
  std::int64_t stops = 0;    // by stop rules
  std::int64_t places = 0;   // of the rankings
  std::int64_t repeats = 0;  // of the verification
  std::string difference;    // the first one, as a sentence; empty: all is the same
};

// Errors: its experiment cannot be read.
Result<CampaignReplay> replay_campaign(const CampaignHistory& history);

}  // namespace lrtune

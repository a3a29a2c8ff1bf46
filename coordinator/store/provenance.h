// Who ran what, where, with which versions and seeds: what stands behind a policy's numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/training.h"
#include "coordinator/core/records.h"

namespace lrtune {

struct Provenance {
  TrialId trial;
  CampaignId campaign;
  std::string campaign_name;
  Digest experiment;          // the campaign's hash
  std::string imported_from;  // the store file that it was taken in from; empty: made here
  std::uint64_t seed = 0;
  std::string worker;       // of the attempt that ended it; empty: none did
  Attempt attempt = 0;      // that ended it
  WallMillis ended_at = 0;  // the newest decision about the trial; 0: none
  Digest data;              // fingerprint
  Numerics numerics;
  Digest from_state;  // name of the state that it started from
  std::int64_t realised_by =
      0;  // the reactive policy whose run realised this one; 0: it was itself
};

// Of all trials of the policy, and of those that realised it, ascending by trial. Reads only.
// Errors: as PolicyQueries.
Result<std::vector<Provenance>> provenance_of(const std::string& store, std::int64_t policy);

}  // namespace lrtune

// Makes a campaign's rankings and its choice of what to repeat again, from the runs that the store
// has, and holds them against those that were written down. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/config/experiment.h"
#include "coordinator/core/records.h"

namespace lrtune {

struct RankingReplay {
  std::int64_t places = 0;   // of both rankings
  std::int64_t repeats = 0;  // that follow from them
  std::string difference;    // the first one, as a sentence; empty: all is the same
};

// `whole`: the iterations of a whole run, if the search's runs have several lengths. Nothing is
// replayed of a campaign that has not got so far, or was cancelled or failed: it may have stopped
// between any two of its decisions. The seconds that a run took are not compared: an imported
// campaign's runs may stand here with the seconds of another machine that trained the same.
RankingReplay replay_rankings(const CampaignHistory& history, const Experiment& experiment,
                              std::optional<std::int64_t> whole);

}  // namespace lrtune

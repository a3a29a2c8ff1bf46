// What a campaign may be given beyond its file. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

struct Extension {
  RunLength length;        // of each run, longer than before; none: as before
  std::int64_t count = 0;  // candidates of a random or sobol search, more than before; 0: as before
  std::string policies;    // YAML list in the form of `search.policies`; empty: none
};

// The experiment with all that the extension asks for: candidates keep their numbers, new ones come
// behind them. What it has already changes nothing, so that asking twice is asking once. Errors
// name what is asked for and what is allowed: a shorter length, epochs where the experiment counts
// iterations (or the other way round), fewer candidates, `count` of a search that does not draw,
// `policies` of one that does, since they would change
// what was drawn; a search that decides by results; longer runs of one with
// stop rules.
Result<Experiment> extended(const Experiment& experiment, const Extension& extension);

}  // namespace lrtune

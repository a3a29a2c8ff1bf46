// Policies and their runs out of another team's store (SCHEMA.md, "Taking in another store").
#pragma once

#include <string>

#include "common/result.h"
#include "coordinator/core/records.h"

namespace lrtune {

struct MergeReport {
  std::int64_t campaigns = 0;        // taken in
  std::int64_t trials = 0;           // of them
  std::int64_t runs = 0;             // stage jobs that were not here yet
  std::int64_t known_runs = 0;       // that were: the trials share them
  std::int64_t known_campaigns = 0;  // both stores have them; they stay as they are here
};

// Takes the campaigns of the store file `from` into the store at `into`, which is made if it is not
// there, in one transaction. `from` is checked first, must have the present schema, and is not
// changed. Experiments that are here already are left as they are, so a second call changes
// nothing. Errors leave `into` as it was; so does `from` being no whole store. `at`: the time to
// write down, ms.
Result<MergeReport> merge_store(const std::string& from, const std::string& into, WallMillis at);

}  // namespace lrtune

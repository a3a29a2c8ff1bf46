// Makes what `lrtune compose` judged again, from the search and the comparison that it rests on.
// Pure.
#pragma once

#include <nlohmann/json.hpp>

#include "common/result.h"
#include "coordinator/core/records.h"

namespace lrtune {

// The numbers of the decision "composed" (composition_numbers()) as they come out now. Errors: the
// search is not in the store, or its best path is now another one than the trial of `composed`.
Result<nlohmann::json> composition_again(const StoredState& stored, const DecisionRecord& composed);

}  // namespace lrtune

// Decisions of the coordinator as one plain sentence with its numbers.
#pragma once

#include <string>

#include "coordinator/core/records.h"

namespace lrtune {

// e.g. "Trial 12 was ranked 1 of 40 by top1: 0.9931 at iteration 4000." An unknown code (from a
// newer version) is shown with its numbers as they are.
std::string sentence(const DecisionRecord& decision);

}  // namespace lrtune

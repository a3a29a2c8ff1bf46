// One example of every message, with values at the edges of their ranges. The golden frames in
// tests/fixtures/wire/v3 are these.
#pragma once

#include <string>
#include <vector>

#include "common/wire/messages.h"

namespace lrtune::wire::testing {

template <typename Message>
struct Sample {
  std::string name;  // of the golden file, without ".hex"
  Message message;
};

std::vector<Sample<ToCoordinator>> samples_to_coordinator();
std::vector<Sample<FromCoordinator>> samples_from_coordinator();

Assign sample_assign();

}  // namespace lrtune::wire::testing

// Records as lines of the log: key=value with campaign, trial, job and attempt.
#pragma once

#include <string>

#include "coordinator/core/records.h"

namespace lrtune {

// e.g. "decision=assigned campaign=1 trial=3 numbers={"attempt":1,"job":3}". Points and identities
// give "".
std::string log_line(const Record& record);

}  // namespace lrtune

// Records as lines of the log (common/logfmt.h): what they say, and with what they belong together.
#pragma once

#include <string>

#include "coordinator/core/records.h"
#include "coordinator/core/snapshot.h"

namespace lrtune {

// e.g. "event=assigned campaign=1 trial=3 job=3 attempt=1 worker=a": a decision bears its code and
// its numbers, any other record is called by its table. `known`: Core::work_of(); what the record
// says itself goes before it. Points and identities give "".
std::string log_line(const Record& record, const WorkIds& known = {});

}  // namespace lrtune

// Reads all points with the metrics of their states. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <vector>

#include "coordinator/core/records.h"

namespace lrtune {

// Ascending by (job, attempt, iteration); without those that have no metrics of the present
// version. Every row read is held against its checksum. Throws std::exception.
std::vector<PointRecord> read_points(SQLite::Database& database);

}  // namespace lrtune

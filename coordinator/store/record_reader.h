// Reads the tables back into records. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <optional>

#include "coordinator/core/records.h"

namespace lrtune {

// Points with the metrics of their states, of the present metric version: the statement's first
// parameter. Ends before WHERE or ORDER BY.
extern const char* const kSelectPoints;
PointRecord point_of(const SQLite::Statement& row);

// The run plan that stands in seven columns from `first` on, in the order of the trial table.
RunPlan plan_of(const SQLite::Statement& row, int first);

// The outcome that stands in four columns from `first` on, in the order of the job table.
std::optional<Outcome> outcome_of(const SQLite::Statement& row, int first);

// All that the core goes on from. Throws std::exception if the file holds what no lrtune writes.
StoredState read_all(SQLite::Database& database);

}  // namespace lrtune

// Reads the tables back into records. Private to coordinator/store.
#pragma once

#include <optional>
#include <vector>

#include "coordinator/core/records.h"
#include "coordinator/store/sql_values.h"

namespace lrtune {

// Points with the metrics of their states, of the present metric version: the statement's first
// parameter. Ends before WHERE or ORDER BY.
extern const char* const kSelectPoints;
MetricPoint point_of(const sql::Rows& row);

// The run plan that stands in seven columns from `first` on, in the order of the trial table, and
// in the columns `max_seconds` and `m_opt_every`.
RunPlan plan_of(const sql::Rows& row, int first, int max_seconds, int m_opt_every);

// M-opt of a job's attempt, the statement's parameters.
extern const char* const kSelectMopt;
std::vector<MoptValue> m_opt_series(sql::Rows& rows);

// The outcome that stands in four columns from `first` on, in the order of the job table.
std::optional<Outcome> outcome_of(const sql::Rows& row, int first);

// All that the core goes on from; every row that it reads is held against its checksum. Throws
// std::exception if the file holds what no lrtune writes.
StoredState read_all(SQLite::Database& database);

// The same for a reader that must not write: the state of one moment, while a coordinator goes on.
StoredState read_moment(SQLite::Database& database);

// Of one campaign, which is there. Throws as above.
CampaignHistory read_history(SQLite::Database& database, CampaignId campaign);

}  // namespace lrtune

// Reads the tables back into records. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include "coordinator/core/records.h"

namespace lrtune {

// All that the core goes on from. Throws std::exception if the file holds what no lrtune writes.
StoredState read_all(SQLite::Database& database);

}  // namespace lrtune

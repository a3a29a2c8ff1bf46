# The records' names, apart from the core's machinery, so that the store needs no more than them.
include_guard(GLOBAL)
lrtune_library(lrtune_records SOURCES "${PROJECT_SOURCE_DIR}/coordinator/core/records.cc" DEPENDS lrtune_common)

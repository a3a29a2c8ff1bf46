find_package(SQLiteCpp REQUIRED)

add_library(lrtune_record_model STATIC support/record_model.cc support/record_source.cc support/sample_records.cc)
target_link_libraries(lrtune_record_model PUBLIC lrtune_records lrtune_policy lrtune_common)

lrtune_test(store_test
  SOURCES unit/store_round_trip_test.cc
  DEPENDS lrtune_store lrtune_record_model SQLiteCpp
  LABELS unit)

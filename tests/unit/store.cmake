find_package(SQLiteCpp REQUIRED)

lrtune_library(lrtune_record_model
  SOURCES support/record_model.cc support/record_source.cc support/sample_records.cc
  DEPENDS lrtune_records lrtune_ranking lrtune_policy lrtune_common)

lrtune_test(store_test
  SOURCES unit/store_round_trip_test.cc unit/store_file_test.cc unit/store_log_test.cc unit/store_company_test.cc unit/store_care_test.cc unit/store_faults_test.cc
          unit/store_best_test.cc unit/store_kill_test.cc unit/store_damage_test.cc unit/store_fault_sites_test.cc unit/store_schema_page_test.cc
          support/faulty_vfs.cc
  DEPENDS lrtune_store lrtune_record_model SQLiteCpp
  LABELS unit)

# make_sample_store FILE: how the fixtures of tests/fixtures/store were made.
add_executable(make_sample_store support/make_sample_store.cc)
target_link_libraries(make_sample_store PRIVATE lrtune_store lrtune_record_model)

# By hand, in a folder of the disk to measure: build/release/lrtune_bench_store
find_package(benchmark REQUIRED)
add_executable(lrtune_bench_store bench/store_bench.cc)
target_link_libraries(lrtune_bench_store PRIVATE lrtune_core lrtune_store lrtune_record_model benchmark::benchmark)

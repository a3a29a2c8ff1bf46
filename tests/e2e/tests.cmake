# Real processes. In e2e_test the workers train synthetically, in e2e_libtorch_test with LibTorch.
find_package(SQLiteCpp REQUIRED)
find_package(Boost 1.81 REQUIRED)
add_library(lrtune_run_test_base STATIC e2e/run_test_base.cc e2e/coordinator_test_base.cc support/process.cc)
target_link_libraries(lrtune_run_test_base
  PUBLIC lrtune_build GTest::gmock nlohmann_json::nlohmann_json
  PRIVATE SQLiteCpp Boost::headers)
target_compile_definitions(lrtune_run_test_base PUBLIC
  LRTUNE_PROGRAM="$<TARGET_FILE:lrtune>" LRTUNE_WORKER_PROGRAM="$<TARGET_FILE:lrtune-worker>"
  LRTUNE_CHECKPOINTS_PROGRAM="$<TARGET_FILE:lrtune-checkpoints>")
add_dependencies(lrtune_run_test_base lrtune lrtune-worker lrtune-checkpoints)

lrtune_test(e2e_test
  SOURCES e2e/run_command_test.cc e2e/run_interrupted_test.cc e2e/run_worker_faults_test.cc
          e2e/run_methods_test.cc e2e/run_coordinator_test.cc e2e/run_clients_test.cc e2e/run_chaos_test.cc
          e2e/run_reactive_test.cc e2e/run_search_test.cc e2e/run_listening_test.cc
  DEPENDS lrtune_run_test_base Boost::headers SQLiteCpp
  LABELS e2e)

if(LRTUNE_LIBTORCH)
  lrtune_test(e2e_libtorch_test
    SOURCES e2e/run_libtorch_test.cc
    DEPENDS lrtune_run_test_base lrtune_image_files
    LABELS e2e)
endif()

# Real processes; the workers train synthetically but in the test of LibTorch.
find_package(SQLiteCpp REQUIRED)
find_package(Boost 1.81 REQUIRED)
lrtune_test(e2e_test
  SOURCES e2e/run_test_base.cc e2e/run_command_test.cc e2e/run_interrupted_test.cc support/process.cc
  DEPENDS SQLiteCpp nlohmann_json::nlohmann_json Boost::headers
  LABELS e2e)
add_dependencies(e2e_test lrtune lrtune-worker)
target_compile_definitions(e2e_test PRIVATE LRTUNE_PROGRAM="$<TARGET_FILE:lrtune>")

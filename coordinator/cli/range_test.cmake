lrtune_library(lrtune_cli_range_test
  SOURCES range_test.cc range_test_plan.cc
  DEPENDS lrtune_cli_run lrtune_cli_results lrtune_tuning CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS range_test)

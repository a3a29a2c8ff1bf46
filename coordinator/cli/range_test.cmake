lrtune_library(lrtune_cli_range_plan
  SOURCES range_test_plan.cc stored_range.cc
  DEPENDS lrtune_cli_results lrtune_tuning lrtune_config)
# What `verify` and `compose` hold against each other, and where it comes from.
lrtune_library(lrtune_cli_comparison
  SOURCES comparison.cc generation.cc
  DEPENDS lrtune_cli_range_plan lrtune_cli_results lrtune_search lrtune_tuning lrtune_config)
lrtune_library(lrtune_cli_range_test
  SOURCES range_test.cc
  DEPENDS lrtune_cli_run lrtune_cli_range_plan lrtune_cli_results CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS range_test)

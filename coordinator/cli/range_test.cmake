lrtune_library(lrtune_cli_range_test
  SOURCES range_test.cc
  DEPENDS lrtune_cli_run lrtune_methods lrtune_report CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS range_test)

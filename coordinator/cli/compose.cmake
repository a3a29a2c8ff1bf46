lrtune_library(lrtune_cli_compose
  SOURCES compose.cc
  DEPENDS lrtune_cli_run lrtune_cli_schedule lrtune_methods lrtune_report lrtune_config lrtune_policy lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS compose)

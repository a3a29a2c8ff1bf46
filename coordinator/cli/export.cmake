lrtune_library(lrtune_cli_planned_run
  SOURCES planned_run.cc
  DEPENDS lrtune_cli_files lrtune_config lrtune_policy lrtune_ranking lrtune_search lrtune_common)
lrtune_library(lrtune_cli_export
  SOURCES export.cc
  DEPENDS lrtune_cli_terminal lrtune_cli_schedule lrtune_cli_planned_run lrtune_handout lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS export)

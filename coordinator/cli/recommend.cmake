lrtune_library(lrtune_cli_recommend
  SOURCES recommend.cc
  DEPENDS lrtune_cli_terminal lrtune_cli_planned_run lrtune_recommendation lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS recommend)

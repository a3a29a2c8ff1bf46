lrtune_library(lrtune_cli_report
  SOURCES report.cc
  DEPENDS lrtune_cli_result_files lrtune_report lrtune_cli_terminal lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS report)

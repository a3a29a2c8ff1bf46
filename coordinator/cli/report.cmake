lrtune_library(lrtune_cli_report
  SOURCES report.cc report_page.cc
  DEPENDS lrtune_cli_results lrtune_cli_terminal lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS report)

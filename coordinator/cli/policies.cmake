lrtune_library(lrtune_cli_policies
  SOURCES policies.cc policies_exchange.cc policies_ranges.cc
  DEPENDS lrtune_cli_files lrtune_cli_terminal lrtune_methods lrtune_report_policies lrtune_plot lrtune_store lrtune_ranking lrtune_recommendation lrtune_policy CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS policies)

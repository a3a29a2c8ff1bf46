lrtune_library(lrtune_cli_policies
  SOURCES policies.cc policies_exchange.cc policies_mixed.cc policies_ranges.cc policies_text.cc provenance_text.cc published_text.cc
  DEPENDS lrtune_cli_files lrtune_cli_range_plan lrtune_cli_m_opt lrtune_cli_terminal lrtune_plot lrtune_store lrtune_ranking lrtune_recommendation lrtune_policy CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS policies)

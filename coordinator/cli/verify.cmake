lrtune_library(lrtune_cli_verify
  SOURCES verify.cc verify_plan.cc verdict.cc verdict_replay.cc
  DEPENDS lrtune_cli_run lrtune_cli_range_test lrtune_cli_schedule lrtune_cli_results lrtune_cli_m_opt lrtune_config lrtune_ranking lrtune_recommendation lrtune_store lrtune_tuning CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS verify)

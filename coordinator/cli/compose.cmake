# What a composition is, made of results: pure.
lrtune_library(lrtune_cli_composition
  SOURCES compose_plan.cc composition.cc composition_replay.cc
  DEPENDS lrtune_cli_comparison lrtune_cli_results lrtune_config lrtune_policy lrtune_recommendation lrtune_tuning)
lrtune_library(lrtune_cli_compose
  SOURCES compose.cc
  DEPENDS lrtune_cli_run lrtune_cli_range_plan lrtune_cli_schedule lrtune_cli_composition lrtune_cli_results lrtune_config lrtune_policy lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS compose)

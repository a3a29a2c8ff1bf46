# What a run shows and writes: pure but for the files.
lrtune_library(lrtune_cli_results
  SOURCES progress.cc results.cc results_text.cc result_files.cc
  DEPENDS lrtune_cli_m_opt lrtune_cli_terminal lrtune_core lrtune_search lrtune_ranking lrtune_tuning lrtune_plot lrtune_policy lrtune_config)

lrtune_library(lrtune_cli_run
  SOURCES run.cc campaign_runner.cc local_campaign.cc run_settings.cc output_folder.cc embedded_run.cc local_workers.cc child_process.cc
  DEPENDS lrtune_cli_listening lrtune_cli_planned_run lrtune_cli_signals lrtune_cli_client lrtune_cli_range_plan lrtune_cli_results lrtune_runtime lrtune_search lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS run)

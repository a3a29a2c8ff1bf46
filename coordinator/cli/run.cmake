lrtune_library(lrtune_cli_run
  SOURCES run.cc campaign_runner.cc local_campaign.cc run_settings.cc output_folder.cc embedded_run.cc local_workers.cc child_process.cc
  DEPENDS lrtune_cli_listening lrtune_cli_planned_run lrtune_cli_signals lrtune_cli_client lrtune_cli_result_files lrtune_cli_terminal lrtune_methods lrtune_report lrtune_runtime lrtune_search lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS run)

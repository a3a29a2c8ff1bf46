lrtune_test(run_test
  SOURCES unit/run_progress_test.cc unit/run_results_test.cc unit/run_settings_test.cc unit/local_workers_test.cc
  DEPENDS lrtune_cli_report lrtune_cli_run
  LABELS unit)
lrtune_test(runtime_test
  SOURCES unit/runtime_test.cc unit/greeting_budget_test.cc unit/record_log_test.cc unit/outbox_test.cc unit/scripted_peer.cc
  DEPENDS lrtune_runtime lrtune_record_model lrtune_config
  LABELS unit)
lrtune_test(range_test_plan_test
  SOURCES unit/range_test_plan_test.cc
  DEPENDS lrtune_methods
  LABELS unit)
lrtune_test(compose_plan_test
  SOURCES unit/compose_plan_test.cc
  DEPENDS lrtune_methods lrtune_search
  LABELS unit)
lrtune_test(verify_plan_test
  SOURCES unit/verify_plan_test.cc unit/verdict_replay_test.cc
  DEPENDS lrtune_methods lrtune_cli_files
  LABELS unit)

lrtune_test(core_test
  SOURCES unit/core_test.cc unit/core_stages_test.cc unit/core_reactive_test.cc unit/core_search_test.cc unit/core_deaths_test.cc unit/core_lost_history_test.cc unit/core_clients_test.cc unit/core_facts_test.cc unit/core_harness.cc
  DEPENDS lrtune_core lrtune_config
  LABELS unit)

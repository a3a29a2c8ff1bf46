lrtune_test(schedule_test
  SOURCES unit/schedule_test.cc
  DEPENDS lrtune_cli_schedule
  LABELS unit)

lrtune_test(checkpoints_test
  SOURCES unit/checkpoints_test.cc
  DEPENDS lrtune_checkpoints
  LABELS unit)

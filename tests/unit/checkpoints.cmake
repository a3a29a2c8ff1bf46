lrtune_test(checkpoints_test
  SOURCES unit/checkpoints_test.cc
  DEPENDS lrtune_checkpoints
  LABELS unit)

lrtune_test(checkpoint_channel_test
  SOURCES unit/checkpoint_channel_test.cc unit/checkpoint_wire_test.cc
  DEPENDS lrtune_checkpoint_channel
  LABELS unit)

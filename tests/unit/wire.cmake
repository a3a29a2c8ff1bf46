lrtune_test(wire_test
  SOURCES unit/wire_codec_test.cc unit/wire_hostile_test.cc unit/wire_transport_test.cc support/wire_samples.cc
  DEPENDS lrtune_wire PkgConfig::zeromq
  LABELS unit)

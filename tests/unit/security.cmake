lrtune_test(security_test
  SOURCES unit/security_keys_test.cc unit/security_transport_test.cc
  DEPENDS lrtune_wire PkgConfig::zeromq
  LABELS unit)

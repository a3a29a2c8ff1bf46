lrtune_test(security_test
  SOURCES unit/security_keys_test.cc unit/security_transport_test.cc
  DEPENDS lrtune_wire PkgConfig::zeromq
  LABELS unit)

lrtune_test(keygen_test
  SOURCES unit/keygen_test.cc support/process.cc
  DEPENDS Boost::headers
  LABELS unit)
target_compile_definitions(keygen_test PRIVATE
  LRTUNE_PROGRAM="$<TARGET_FILE:lrtune>" LRTUNE_WORKER="$<TARGET_FILE:lrtune-worker>"
  LRTUNE_CHECKPOINTS="$<TARGET_FILE:lrtune-checkpoints>")
add_dependencies(keygen_test lrtune lrtune-worker lrtune-checkpoints)

lrtune_test(common_test
  SOURCES unit/flat_json_test.cc unit/hash_test.cc unit/logfmt_test.cc
  DEPENDS lrtune_training_data
  LABELS unit)

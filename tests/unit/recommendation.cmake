lrtune_test(recommendation_test
  SOURCES unit/mix_test.cc unit/recommendation_test.cc
  DEPENDS lrtune_recommendation
  LABELS unit)
lrtune_test(store_merge_test
  SOURCES unit/store_merge_test.cc
  DEPENDS lrtune_store lrtune_record_model lrtune_cli_policies
  LABELS unit)

lrtune_test(policy_test
  SOURCES "${CMAKE_CURRENT_LIST_DIR}/policy_golden_test.cc"
  DEPENDS lrtune_policy)

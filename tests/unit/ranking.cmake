lrtune_test(ranking_test
  SOURCES unit/ranking_test.cc
  DEPENDS lrtune_ranking
  LABELS unit)

find_package(rapidcheck REQUIRED)
lrtune_test(verification_test
  SOURCES unit/m_opt_test.cc unit/range_test_test.cc unit/settled_order_test.cc unit/stage_plan_test.cc
          unit/tolerance_test.cc unit/verification_test.cc support/property_seed.cc
  DEPENDS lrtune_policy lrtune_tuning rapidcheck
  LABELS unit)

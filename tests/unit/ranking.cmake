lrtune_test(ranking_test
  SOURCES unit/ranking_test.cc
  DEPENDS lrtune_ranking
  LABELS unit)
lrtune_test(verification_test
  SOURCES unit/stage_plan_test.cc unit/tolerance_test.cc unit/verification_test.cc
  DEPENDS lrtune_policy lrtune_tuning rapidcheck
  LABELS unit)

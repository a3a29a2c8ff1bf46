lrtune_test(search_test
  SOURCES unit/search_test.cc support/experiment_text.cc
  DEPENDS lrtune_search
  LABELS unit)

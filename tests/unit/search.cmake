find_package(rapidcheck REQUIRED)

lrtune_test(search_test
  SOURCES unit/search_test.cc unit/sobol_test.cc unit/adaptive_search_test.cc unit/halving_test.cc unit/tpe_test.cc unit/stop_rules_test.cc unit/stop_knowledge_test.cc
          unit/tree_search_test.cc
          support/experiment_text.cc support/property_seed.cc
  DEPENDS lrtune_search rapidcheck
  LABELS unit)

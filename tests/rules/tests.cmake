lrtune_test(rules_test
  SOURCES rules/layer_rules_test.cc rules/text_rules_test.cc rules/include_rules.cc rules/source_tree.cc
          rules/text_rules.cc
  LABELS rules)

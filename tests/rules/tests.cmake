lrtune_test(rules_test
  SOURCES rules/layer_rules_test.cc rules/text_rules_test.cc rules/include_rules.cc rules/source_tree.cc
          rules/text_rules.cc rules/type_rules.cc rules/type_rules_test.cc
  LABELS rules)

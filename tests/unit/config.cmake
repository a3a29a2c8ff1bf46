find_package(valijson REQUIRED)

lrtune_test(config_test
  SOURCES unit/training_json_test.cc unit/located_json_test.cc unit/experiment_test.cc
          unit/campaign_size_test.cc unit/experiment_errors_test.cc unit/experiment_schema_test.cc support/experiment_text.cc
  DEPENDS lrtune_config valijson
  LABELS unit)

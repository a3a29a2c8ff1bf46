lrtune_test(handout_test
  SOURCES unit/handout_test.cc
  DEPENDS lrtune_handout lrtune_cli_export
  LABELS unit)

# The plain Python, Caffe, CSV and JSON texts, run whole; frameworks: tests/handout/check_frameworks.sh.
find_program(LRTUNE_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(LRTUNE_PYTHON)
  add_test(NAME handout_rates
    COMMAND "${LRTUNE_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/handout/check_export.py" "$<TARGET_FILE:lrtune>"
            python caffe csv json)
  set_tests_properties(handout_rates PROPERTIES LABELS unit ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()

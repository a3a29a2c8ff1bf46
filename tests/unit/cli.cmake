lrtune_test(cli_test
  SOURCES unit/cli_text_table_test.cc unit/cli_policies_test.cc
  DEPENDS lrtune_cli_policies lrtune_cli_why lrtune_record_model
  LABELS unit)

lrtune_test(cli_program_test
  SOURCES unit/cli_program_test.cc
  DEPENDS lrtune_store lrtune_record_model
  LABELS unit)
target_compile_definitions(cli_program_test PRIVATE
  LRTUNE_PROGRAM="$<TARGET_FILE:lrtune>" LRTUNE_VERSION="${PROJECT_VERSION}")
add_dependencies(cli_program_test lrtune)

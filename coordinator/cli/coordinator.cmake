lrtune_library(lrtune_cli_coordinator
  SOURCES coordinator.cc
  DEPENDS lrtune_cli_listening lrtune_cli_signals lrtune_cli_terminal lrtune_methods lrtune_config lrtune_runtime lrtune_operations lrtune_store CLI11::CLI11)
target_compile_definitions(lrtune_cli_coordinator PRIVATE LRTUNE_VERSION="${PROJECT_VERSION}")
list(APPEND LRTUNE_COMMANDS coordinator)

lrtune_library(lrtune_cli_store
  SOURCES store.cc
  DEPENDS lrtune_cli_terminal lrtune_store CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS store)

lrtune_library(lrtune_cli_replay
  SOURCES replay.cc
  DEPENDS lrtune_cli_terminal lrtune_methods lrtune_store lrtune_core CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS replay)

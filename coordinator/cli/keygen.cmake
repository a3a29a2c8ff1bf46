lrtune_library(lrtune_cli_keygen
  SOURCES keygen.cc
  DEPENDS lrtune_cli_terminal lrtune_wire_security CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS keygen)

# What the commands that talk to a coordinator share.
lrtune_library(lrtune_cli_client
  SOURCES client.cc client_command.cc progress_display.cc
  DEPENDS lrtune_cli_files lrtune_cli_terminal lrtune_report lrtune_wire lrtune_core CLI11::CLI11)
foreach(command IN ITEMS submit status orders)
  lrtune_library(lrtune_cli_${command} SOURCES ${command}.cc DEPENDS lrtune_cli_client lrtune_cli_planned_run lrtune_config)
  list(APPEND LRTUNE_COMMANDS ${command})
endforeach()

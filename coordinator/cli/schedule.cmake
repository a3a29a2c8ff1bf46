find_package(Threads REQUIRED)
lrtune_library(lrtune_cli_schedule
  SOURCES schedule.cc policy_argument.cc rate_rows.cc
  DEPENDS lrtune_cli_terminal lrtune_policy lrtune_config lrtune_plot fmt::fmt Threads::Threads CLI11::CLI11)
list(APPEND LRTUNE_COMMANDS schedule)

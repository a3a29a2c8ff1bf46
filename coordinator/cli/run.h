// `lrtune run FILE`: the coordinator in this process, local workers as child processes.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_run_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

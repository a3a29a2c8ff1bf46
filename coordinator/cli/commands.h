// All commands that this program was built with.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_commands(CLI::App& app, int& exit_code);

}  // namespace lrtune

// `lrtune submit`: gives an experiment to a coordinator.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_submit_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

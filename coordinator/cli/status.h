// `lrtune status` and `lrtune watch`: what a coordinator's campaigns are doing.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_status_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

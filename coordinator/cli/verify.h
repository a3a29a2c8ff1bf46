// `lrtune verify POLICY --experiment FILE`: is a policy good, and is there a better one?
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_verify_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

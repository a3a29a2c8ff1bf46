// `lrtune coordinator`: the long-lived one, for workers and clients on other machines.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_coordinator_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

// lrtune policies list|top|show: what the policy store knows.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_policies_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

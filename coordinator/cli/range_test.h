// `lrtune range-test FILE`: which learning rates are worth searching.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_range_test_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

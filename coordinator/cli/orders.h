// `lrtune pause`, `resume`, `cancel`, `extend` and `workers`: what people order of a coordinator.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_orders_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

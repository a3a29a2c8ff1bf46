// lrtune keygen DIR [--worker NAME | --client NAME]: the keys of a coordinator and of those that it
// admits.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

void add_keygen_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

// lrtune store check, backup, migrate: the care of a store's file.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "coordinator/store/store_care.h"

namespace lrtune {

// One line if nothing is wrong, else one more for each fault.
std::string check_text(const std::string& path, const StoreCheck& check);

void add_store_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

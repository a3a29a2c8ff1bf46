// `lrtune replay`: every decision of a campaign's search, made again from the store.
#pragma once

#include <CLI/App.hpp>

namespace lrtune {

// Exit codes: 0 all is the same, 1 a difference, 2 bad input.
void add_replay_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

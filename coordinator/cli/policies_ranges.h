// `lrtune policies ranges`: the learning rates that range tests of a store found worth searching.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "coordinator/cli/standard_streams.h"
#include "coordinator/methods/stored_range.h"

namespace CLI {
class App;
}

namespace lrtune {

// Adds it to `policies`; when it is run it sets `exit_code`.
void add_ranges_command(CLI::App& policies, int& exit_code);

std::string ranges_text(std::span<const MeasuredRange> ranges, const Terminal& terminal);
nlohmann::json ranges_json(std::span<const MeasuredRange> ranges);

}  // namespace lrtune

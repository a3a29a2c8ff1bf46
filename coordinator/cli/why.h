// lrtune why TRIAL: every decision about a trial in one sentence.
#pragma once

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "coordinator/cli/standard_streams.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {

// One line a decision, with its local time.
std::string story_text(const TrialStory& story, const Terminal& terminal);
nlohmann::json story_json(const TrialStory& story);

void add_why_command(CLI::App& app, int& exit_code);

}  // namespace lrtune

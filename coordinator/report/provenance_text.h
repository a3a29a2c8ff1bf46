// The provenance of a policy's runs, behind `lrtune policies show`. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/store/provenance.h"

namespace lrtune {

// YAML comments, a line a trial.
std::string provenance_comments(const std::vector<Provenance>& all, bool colour);

// Adds `provenance` to each run of policies_json.
void add_provenance(nlohmann::json& entries, const std::vector<Provenance>& all);

}  // namespace lrtune

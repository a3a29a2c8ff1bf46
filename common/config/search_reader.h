// The search of an experiment. Inside of common/config.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

// Reads the section; its domains are not drawn yet.
std::optional<Error> read_search(const nlohmann::json& json, const std::string& path,
                                 Experiment& experiment);

// What a search does not go with, in all of a read experiment. Sets what of it follows from other
// sections.
std::optional<Error> complete_search(Experiment& experiment);

}  // namespace lrtune

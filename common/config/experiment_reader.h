// JSON (from YAML or the store) -> Experiment. Inside of common/config.
#pragma once

#include <nlohmann/json.hpp>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

// Reads all sections and checks what concerns several of them; domains are not drawn yet. Errors
// have a path.
Result<Experiment> read_experiment(const nlohmann::json& json);

// Tries every template with the values that its domains can take. Errors have a path.
Result<void> check_templates(const Experiment& experiment);

// The normal form of an experiment that read_experiment made.
nlohmann::json normal_form(const Experiment& experiment);

}  // namespace lrtune

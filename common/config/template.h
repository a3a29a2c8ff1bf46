// Templates: the policies and the `train` part of an experiment with domains at some places.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

// `path` is the JSON pointer of `json` in its document, for errors. `method` says which domains are
// allowed: none for list, lists and choices for grid, all for those that draw.
Result<Template> policy_template_from_json(const nlohmann::json& json, SearchMethod method,
                                           const std::string& path);
Result<Template> train_template_from_json(const nlohmann::json& json, SearchMethod method,
                                          const std::string& path);

// The normal form: each domain in its hole, a plain list as {choice: [...]}.
nlohmann::json to_json(const Template& source);
nlohmann::json to_json(const Domain& domain);

// The tree with values[i] in hole i.
nlohmann::json filled(const Template& source, std::span<const nlohmann::json> values);

// Numbers and lengths in their one spelling: 1e4 and 10000.0 are 10000, "1.50 epochs" is "1.5
// epochs".
nlohmann::json canonical(const nlohmann::json& value);

// n of a text "n epochs" or "n epoch".
std::optional<double> epochs_in(std::string_view text);

// The names of the domains' forms.
std::span<const std::string> domain_names();

}  // namespace lrtune

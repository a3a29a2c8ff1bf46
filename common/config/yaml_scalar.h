// Plain (unquoted) YAML scalars by the core schema of YAML 1.2 (chapter 10.3.2): yes, no, on and
// off are texts.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "common/result.h"

namespace lrtune {

// null, a boolean, a number or a text. Whole numbers beyond 64 bits become doubles. Errors: a
// number that no double can hold (1e999).
Result<nlohmann::json> json_from_plain_scalar(std::string_view text);

}  // namespace lrtune

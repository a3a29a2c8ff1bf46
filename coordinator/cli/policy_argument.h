// A policy that was given on the command line.
#pragma once

#include <string>

#include "common/config/located_json.h"
#include "common/policy/policy.h"
#include "common/policy/policy_json.h"
#include "common/result.h"

namespace lrtune {

// `argument` is the name of a file in YAML or JSON, "-" for standard input, or the text itself. An
// error says file and line.
Result<Policy> policy_from_argument(const std::string& argument, const PolicyContext& context);

// The same as a document that is not looked at yet: lengths may be in epochs. It knows the places
// of its keys.
Result<LocatedJson> policy_document(const std::string& argument);

}  // namespace lrtune

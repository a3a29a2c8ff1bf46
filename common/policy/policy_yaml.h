// The YAML form of policies, ready to paste into an experiment. Reading YAML is common/config's
// work.
#pragma once

#include <string>

#include "common/policy/policy.h"

namespace lrtune {

// Block YAML with a final newline, every line indented by `indent` spaces. Numbers are the shortest
// that read back as the same double, and have a point where they are not whole, so that YAML 1.1
// readers (PyYAML) take them as numbers too: 1.0e-05, not 1e-05.
std::string policy_to_yaml(const Policy& policy, int indent = 0);

}  // namespace lrtune

// Which parameters each LR function takes. Inside of common/policy.
#pragma once

#include <string>
#include <vector>

#include "common/policy/policy.h"

namespace lrtune {

struct ParameterSet {
  bool k1 = false;
  bool gamma = false;
  bool p = false;
  bool l = false;           // one length
  bool boundaries = false;  // `l` is a list of iterations
};

ParameterSet parameters_of(LrFunctionKind kind);

// The keys of the text form in their customary order: "k0", "k1", "gamma", "p", "l".
std::vector<std::string> parameter_names(LrFunctionKind kind);

}  // namespace lrtune

#include "common/policy/parameters.h"

namespace lrtune {

ParameterSet parameters_of(LrFunctionKind kind) {
  using enum LrFunctionKind;
  switch (kind) {
    case kFix:
      return {};
    case kStep:
      return {.gamma = true, .l = true};
    case kNstep:
      return {.gamma = true, .boundaries = true};
    case kExp:
      return {.gamma = true};
    case kInv:
      return {.gamma = true, .p = true};
    case kPoly:
      return {.k1 = true, .p = true, .l = true};
    case kSig:
      return {.gamma = true, .l = true};
    default: {
      const bool exponential = name_of(kind).ends_with("exp");
      return {.k1 = true, .gamma = exponential, .l = true};
    }
  }
}

std::vector<std::string> parameter_names(LrFunctionKind kind) {
  const ParameterSet takes = parameters_of(kind);
  std::vector<std::string> names{"k0"};
  if (takes.k1) names.emplace_back("k1");
  if (takes.gamma) names.emplace_back("gamma");
  if (takes.p) names.emplace_back("p");
  if (takes.l || takes.boundaries) names.emplace_back("l");
  return names;
}

}  // namespace lrtune

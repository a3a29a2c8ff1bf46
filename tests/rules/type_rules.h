// Rules about the types of the programs.
#pragma once

#include <string>
#include <vector>

#include "tests/rules/source_tree.h"

namespace lrtune::rules {

// A type of a namespace is defined in one place: two of one name break the rule of one definition
// ([basic.def.odr]) in every program that has both, and their containers are mixed up without a
// word of the linker. Types of unnamed namespaces and of other types are their files' own business.
std::vector<std::string> check_types_have_one_definition(const SourceTree& tree);

}  // namespace lrtune::rules

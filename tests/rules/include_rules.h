// Checks a source tree against the table in layers.h.
#pragma once

#include <string>
#include <vector>

#include "tests/rules/layers.h"
#include "tests/rules/source_tree.h"

namespace lrtune::rules {

struct Include {
  int line;          // from 1
  std::string name;  // "common/hash.h", "vector"
  bool quoted;       // "..." rather than <...>
};

std::vector<Include> includes_of(const std::string& text);

// One sentence for each include or clock that the table forbids: "common/hash.h:3: ...". Sources of
// common/, coordinator/ and worker/ are looked at. Empty if all is well.
std::vector<std::string> check_layers(const SourceTree& tree);

}  // namespace lrtune::rules

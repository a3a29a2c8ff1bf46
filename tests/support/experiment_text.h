// Experiment files for tests: one that is right, and edits that make it wrong.
#pragma once

#include <string>
#include <vector>

namespace lrtune::test {

// The text of a file below the repository's root. Fails the test if there is none.
std::string file_text(const std::string& path);

// tests/fixtures/experiments/base.yaml.
std::string base_experiment();

// `text` with the first `part` replaced. Fails the test if `part` is not in it.
std::string replaced(std::string text, const std::string& part, const std::string& with);

// One line of tests/fixtures/experiments/bad.jsonl: the base with `part` replaced is refused with
// `error`.
struct BadExperiment {
  std::string part;
  std::string with;
  std::string error;
  bool schema_refuses = false;  // the JSON Schema sees it, too
};
std::vector<BadExperiment> bad_experiments();

}  // namespace lrtune::test

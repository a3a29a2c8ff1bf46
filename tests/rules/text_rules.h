// Rules about the text of files: what must not be written, how long a file may be, what the README
// promises.
#pragma once

#include <string>
#include <vector>

#include "tests/rules/source_tree.h"

namespace lrtune::rules {

inline constexpr int kLongestFile = 600;  // lines of a source or script

// Each returns one sentence for each breach, "path:line: ...", empty if all is well.
std::vector<std::string> check_no_sleep_in_tests(const SourceTree& tree);
std::vector<std::string> check_nothing_unfinished(const SourceTree& tree);
std::vector<std::string> check_no_machine_paths(const SourceTree& tree);
std::vector<std::string> check_file_length(const SourceTree& tree);
std::vector<std::string> check_names(const SourceTree& tree);
std::vector<std::string> check_headers_are_guarded(const SourceTree& tree);

// The README shows deploy/quickstart.sh and deploy/test.sh as commands, and each deploy/*.sh that a
// page of documentation names is there.
std::vector<std::string> check_documented_commands(const SourceTree& tree);

}  // namespace lrtune::rules

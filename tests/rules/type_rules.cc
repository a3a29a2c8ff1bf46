#include "tests/rules/type_rules.h"

#include <map>
#include <regex>
#include <sstream>

namespace lrtune::rules {
namespace {

bool is_program_source(std::string_view path) {
  return is_cpp(path) && (path.starts_with("common/") || path.starts_with("coordinator/") ||
                          path.starts_with("worker/"));
}

struct Definition {
  std::string name;  // "lrtune::wire::Frame"
  int line = 0;
};

// What stands at the beginning of a line is of a namespace: clang-format indents the rest, and ends
// a namespace with a comment.
std::vector<Definition> definitions_in(const std::string& text) {
  static const std::regex kOpens(R"(^namespace ([\w:]*) ?\{.*)");
  static const std::regex kDefines(
      R"(^(?:struct|class|enum class|enum|union) (\w+)(?: final)?(?: : .*| \{.*| *//.*)?$)");
  std::vector<Definition> found;
  std::vector<std::string> open;
  std::istringstream lines(text);
  int number = 0;
  int unnamed = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::smatch match;
    if (std::regex_match(line, match, kOpens)) {
      open.push_back(match[1]);
      unnamed += open.back().empty() ? 1 : 0;
    } else if (line.starts_with("}  // namespace") && !open.empty()) {
      unnamed -= open.back().empty() ? 1 : 0;
      open.pop_back();
    } else if (unnamed == 0 && !open.empty() && std::regex_match(line, match, kDefines)) {
      std::string name;
      for (const std::string& space : open) name += space + "::";
      found.push_back({name + match[1].str(), number});
    }
  }
  return found;
}

}  // namespace

std::vector<std::string> check_types_have_one_definition(const SourceTree& tree) {
  std::map<std::string, std::string> first;  // name to place
  std::vector<std::string> findings;
  for (const auto& [path, text] : tree) {
    if (!is_program_source(path)) continue;
    for (const Definition& definition : definitions_in(text)) {
      const std::string place = path + ":" + std::to_string(definition.line) + ": ";
      const auto [known, is_new] = first.emplace(definition.name, place);
      if (!is_new)
        findings.push_back(place + definition.name + " is defined at " + known->second +
                           "too; give one another name");
    }
  }
  return findings;
}

}  // namespace lrtune::rules

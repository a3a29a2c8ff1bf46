#include "tests/rules/text_rules.h"

#include <algorithm>
#include <array>
#include <regex>
#include <sstream>

namespace lrtune::rules {
namespace {

// The patterns below are put together from pieces, so that this file does not break its own rules.
std::regex pattern(std::initializer_list<const char*> pieces) {
  std::string all;
  for (const char* piece : pieces) all += piece;
  return std::regex(all);
}

std::vector<std::string> lines_that_match(const SourceTree& tree, const std::regex& forbidden,
                                          const char* reason, bool (*concerned)(std::string_view)) {
  std::vector<std::string> findings;
  for (const auto& [path, text] : tree) {
    if (!concerned(path)) continue;
    std::istringstream lines(text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
      if (std::smatch match; std::regex_search(line, match, forbidden)) {
        findings.push_back(path + ":" + std::to_string(number) + ": \"" + match.str() +
                           "\": " + reason);
      }
    }
  }
  return findings;
}

bool is_any(std::string_view) { return true; }

bool is_test(std::string_view path) { return path.starts_with("tests/"); }

bool is_source_or_script(std::string_view path) {
  static constexpr std::array kExtensions = {".sh", ".cmake", ".py", ".in", ".js"};
  return is_cpp(path) || std::ranges::find(kExtensions, extension_of(path)) != kExtensions.end() ||
         path.ends_with("CMakeLists.txt") || path == ".ci/run";
}

// The licence is not ours to word.
bool is_ours(std::string_view path) { return path != "LICENSE"; }

}  // namespace

std::vector<std::string> check_no_sleep_in_tests(const SourceTree& tree) {
  static const std::regex kSleep =
      pattern({R"(\b(sl)", R"(eep_for|sl)", R"(eep_until|usl)", R"(eep|nanosl)", R"(eep|sl)",
               R"(eep\s*\(|sl)", R"(eep [0-9]))"});
  return lines_that_match(tree, kSleep, "a test waits on something observable, with a deadline",
                          is_test);
}

std::vector<std::string> check_nothing_unfinished(const SourceTree& tree) {
  static const std::regex kMark =
      pattern({R"(\b(TO)", R"(DO|FIX)", R"(ME|XX)", R"(X|HA)", R"(CK|GTEST_)", R"(SKIP|DISA)",
               R"(BLED_[A-Z]\w*|\(DISA)", R"(BLED_|place)", R"(holder)\b)"});
  return lines_that_match(tree, kMark, "a mark of unfinished work", is_ours);
}

std::vector<std::string> check_no_machine_paths(const SourceTree& tree) {
  static const std::regex kPath =
      pattern({R"((^|[^\w.$}/~-])/(wo)", R"(rk|ho)", R"(me|ro)", R"(ot)(/[\w.]|\s|["'`,;:)]|$))"});
  return lines_that_match(tree, kPath, "a path of one machine", is_any);
}

std::vector<std::string> check_file_length(const SourceTree& tree) {
  std::vector<std::string> findings;
  for (const auto& [path, text] : tree) {
    const auto lines = std::ranges::count(text, '\n');
    if (is_source_or_script(path) && lines > kLongestFile) {
      findings.push_back(path + ": " + std::to_string(lines) + " lines, at most " +
                         std::to_string(kLongestFile));
    }
  }
  return findings;
}

std::vector<std::string> check_names(const SourceTree& tree) {
  static const std::regex kDrawer(R"((^|[/_.-])(utils?|helpers?|managers?|misc)([/_.-]|$))");
  static const std::regex kSnakeCase(R"(([\w.-]+/)*[a-z0-9_]+\.(h|cc|cu|cuh|cc\.in))");
  std::vector<std::string> findings;
  for (const auto& [path, text] : tree) {
    if (std::regex_search(path, kDrawer))
      findings.push_back(path + ": a thing has a name of its field");
    if (is_cpp(path) && !std::regex_match(path, kSnakeCase))
      findings.push_back(path + ": sources are snake_case");
  }
  return findings;
}

std::vector<std::string> check_headers_are_guarded(const SourceTree& tree) {
  std::vector<std::string> findings;
  for (const auto& [path, text] : tree) {
    const bool header = extension_of(path) == ".h" || extension_of(path) == ".cuh";
    if (header && ("\n" + without_comments(text)).find("\n#pragma once") == std::string::npos) {
      findings.push_back(path + ": a header has #pragma once");
    }
  }
  return findings;
}

std::vector<std::string> check_documented_commands(const SourceTree& tree) {
  std::vector<std::string> findings;
  const auto readme = tree.find("README.md");
  for (const std::string command : {"deploy/quickstart.sh", "deploy/test.sh"}) {
    if (!tree.contains(command)) findings.push_back(command + ": is not there");
    // A line of its own in a code block, from the repository's root.
    if (readme == tree.end() ||
        !std::regex_search("\n" + readme->second, std::regex("\n\\s*(\\$ )?(\\./)?" + command))) {
      findings.push_back("README.md: does not show the command " + command);
    }
  }
  static const std::regex kScript(R"(\bdeploy/[\w-]+\.sh\b)");
  for (const auto& [path, text] : tree) {
    if (extension_of(path) != ".md") continue;
    for (std::sregex_iterator it(text.begin(), text.end(), kScript); it != std::sregex_iterator();
         ++it) {
      if (!tree.contains(it->str()))
        findings.push_back(path + ": names " + it->str() + ", which is not there");
    }
  }
  return findings;
}

}  // namespace lrtune::rules

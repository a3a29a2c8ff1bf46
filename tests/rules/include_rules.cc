#include "tests/rules/include_rules.h"

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

namespace lrtune::rules {
namespace {

bool contains(const std::vector<std::string_view>& all, std::string_view wanted) {
  return std::ranges::find(all, wanted) != all.end();
}

bool is_program_source(std::string_view path) {
  return is_cpp(path) && (path.starts_with("common/") || path.starts_with("coordinator/") ||
                          path.starts_with("worker/"));
}

// The file's own row if it has one, else its folder's; null if neither stands in the table.
const Layer* layer_of(std::string_view path) {
  const std::string_view stem = path.substr(0, path.size() - extension_of(path).size());
  const Layer* by_folder = nullptr;
  for (const Layer& layer : layers()) {
    if (layer.place == stem) return &layer;
    if (layer.place == folder_of(path)) by_folder = &layer;
  }
  return by_folder;
}

// Name of the library that the header belongs to; "standard" for a plain header of the standard
// library, empty for one that the table does not know.
std::string_view library_of(std::string_view header) {
  for (const Library& library : libraries()) {
    for (const std::string_view name : library.headers) {
      if (header == name || (name.ends_with('/') && header.starts_with(name))) return library.name;
    }
  }
  const bool plain = header.find_first_of("./") == std::string_view::npos;
  return plain ? "standard" : "";
}

std::string place(const std::string& path, int line) {
  return path + ":" + std::to_string(line) + ": ";
}

void check_library(const std::string& path, const Include& include, const Layer& layer,
                   std::vector<std::string>& findings) {
  const std::string_view library = library_of(include.name);
  if (library.empty()) {
    findings.push_back(place(path, include.line) + "<" + include.name +
                       "> stands in no row of tests/rules/layers.h");
  } else if (library != "standard" && !contains(layer.libraries, library)) {
    findings.push_back(place(path, include.line) + "<" + include.name + "> is of \"" +
                       std::string(library) + "\", which " + std::string(layer.place) +
                       " may not use");
  }
}

void check_project_header(const std::string& path, const Include& include, const Layer& layer,
                          std::vector<std::string>& findings) {
  if (!contains(layer.folders, folder_of(include.name))) {
    findings.push_back(place(path, include.line) + std::string(layer.place) +
                       " may not include \"" + include.name + "\"");
  }
}

// What a pure file gets through headers of other folders counts for it too. `via` are the headers
// on the way.
void check_reached(const SourceTree& tree, const std::string& path, const Layer& layer,
                   const std::string& header, std::set<std::string>& seen,
                   std::vector<std::string>& findings) {
  const auto found = tree.find(header);
  if (found == tree.end() || !seen.insert(header).second) return;
  // A library that one pure layer may use does no harm to another; only I/O, threads and the like
  // do.
  static const std::vector<std::string_view> kHarmless = {"standard", "text", "errors", "json",
                                                          "hashes"};
  for (const Include& include : includes_of(found->second)) {
    if (include.quoted) {
      check_reached(tree, path, layer, include.name, seen, findings);
    } else if (const auto library = library_of(include.name); !contains(kHarmless, library)) {
      findings.push_back(path + ": reaches <" + include.name + "> through \"" + header + "\"; " +
                         std::string(layer.place) + " is pure");
    }
  }
}

// Chrono types are fine; asking what time it is, is not. Neither are sources of chance and the
// environment.
void check_no_clock(const std::string& path, const std::string& code, const Layer& layer,
                    std::vector<std::string>& findings) {
  static const std::regex kImpure(
      R"((_clock\s*::\s*now\b)|\b(clock_gettime|gettimeofday|timespec_get|std::time|random_device|getenv|fopen|std::rand)\b)");
  std::istringstream lines(code);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (std::smatch match; std::regex_search(line, match, kImpure)) {
      findings.push_back(place(path, number) + match.str() + " in " + std::string(layer.place) +
                         ", which is pure: time and chance are arguments");
    }
  }
}

}  // namespace

std::vector<Include> includes_of(const std::string& text) {
  static const std::regex kInclude(R"(^\s*#\s*(?:include|import)\s*([<"])([^>"]+)[>"])");
  std::vector<Include> found;
  std::istringstream lines(without_comments(text));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (std::smatch match; std::regex_search(line, match, kInclude)) {
      found.push_back({.line = number, .name = match[2], .quoted = match[1] == "\""});
    }
  }
  return found;
}

std::vector<std::string> check_layers(const SourceTree& tree) {
  std::vector<std::string> findings;
  for (const auto& [path, text] : tree) {
    if (!is_program_source(path)) continue;
    const Layer* layer = layer_of(path);
    if (layer == nullptr) {
      findings.push_back(path + ": its folder stands in no row of tests/rules/layers.h");
      continue;
    }
    std::set<std::string> seen;
    for (const Include& include : includes_of(text)) {
      if (!include.quoted) {
        check_library(path, include, *layer, findings);
        continue;
      }
      check_project_header(path, include, *layer, findings);
      if (layer->pure) check_reached(tree, path, *layer, include.name, seen, findings);
    }
    if (layer->pure) check_no_clock(path, without_comments(text), *layer, findings);
  }
  return findings;
}

}  // namespace lrtune::rules

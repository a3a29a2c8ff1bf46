#include "tests/rules/source_tree.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace lrtune::rules {
namespace {

namespace fs = std::filesystem;

// What git ignores or owns. A tree that was unpacked without git reads the same.
bool is_foreign(const fs::path& name) {
  static constexpr std::array kNames = {".git", "build", ".cache", "lrtune-results"};
  return std::ranges::find(kNames, name.string()) != kNames.end() ||
         name.string().starts_with(".libtorch");
}

// Images, databases, recorded frames and compressed data hold no rules.
bool is_text(const std::string& content) { return content.find('\0') == std::string::npos; }

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// Length of the comment or literal that starts at `at`, 1 if none does.
std::size_t token_length(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("//")) return std::min(rest.find('\n'), rest.size());
  if (rest.starts_with("/*")) return std::min(rest.find("*/", 2), rest.size() - 2) + 2;
  if (rest.starts_with("R\"")) {
    const std::size_t open = rest.find('(');
    if (open == std::string_view::npos) return 1;
    const std::string close = ")" + std::string(rest.substr(2, open - 2)) + "\"";
    const std::size_t end = rest.find(close, open);
    return end == std::string_view::npos ? rest.size() : end + close.size();
  }
  if (rest.front() != '"' && rest.front() != '\'') return 1;
  // 1'000'000: a quote behind a digit separates digits.
  if (rest.front() == '\'' && at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0)
    return 1;
  for (std::size_t i = 1; i < rest.size() && rest[i] != '\n'; ++i) {
    if (rest[i] == '\\') {
      ++i;
    } else if (rest[i] == rest.front()) {
      return i + 1;
    }
  }
  return 1;
}

}  // namespace

SourceTree read_source_tree(const fs::path& root) {
  SourceTree tree;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator();
       ++it) {
    if (is_foreign(it->path().filename())) {
      it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file()) continue;
    std::string content = read_file(it->path());
    if (is_text(content))
      tree.emplace(it->path().lexically_relative(root).generic_string(), std::move(content));
  }
  return tree;
}

std::string without_comments(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = token_length(text, at);
    const std::string_view token = text.substr(at, length);
    const bool comment = token.starts_with("//") || token.starts_with("/*");
    for (const char c : token) result += comment && c != '\n' ? ' ' : c;
    at += length;
  }
  return result;
}

std::string_view extension_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot);
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

bool is_cpp(std::string_view path) {
  const std::string_view extension = extension_of(path);
  return extension == ".h" || extension == ".cc" || extension == ".cu" || extension == ".cuh";
}

}  // namespace lrtune::rules

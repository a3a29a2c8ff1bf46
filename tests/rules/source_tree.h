// The repository's own text files, read once, so that rules are functions of a value.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace lrtune::rules {

// Path from the repository root, with '/', to the file's text.
using SourceTree = std::map<std::string, std::string>;

// Text files of the repository: its top-level folders and files, without .git, build folders,
// caches and databases. Throws std::runtime_error where a file cannot be read.
SourceTree read_source_tree(const std::filesystem::path& root);

// The text with comments of C++ replaced by blanks; line breaks stay, so that line numbers hold.
// String and character literals are kept as they are.
std::string without_comments(std::string_view text);

// ".h" of "common/hash.h"; empty without one.
std::string_view extension_of(std::string_view path);

// "common" of "common/hash.h"; empty for a file at the top.
std::string_view folder_of(std::string_view path);

bool is_cpp(std::string_view path);

}  // namespace lrtune::rules

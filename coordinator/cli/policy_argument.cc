#include "coordinator/cli/policy_argument.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <istream>
#include <iterator>
#include <system_error>
#include <utility>

#include "common/config/located_json.h"

namespace lrtune {
namespace {

struct SourceText {
  std::string text;
  std::string name;  // for errors
};

// One byte more than allowed is enough for the reader of YAML to refuse the text.
Result<std::string> read_all(std::istream& stream, const std::string& name) {
  std::string text(kMaxYamlBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return fail(fmt::format("cannot read {}", name));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

// What the parser of YAML says of a brace that was forgotten is about something else.
std::string missing_brace(const std::string& text) {
  for (const auto& [open, close] : {std::pair('{', '}'), std::pair('[', ']')}) {
    const auto opened = std::count(text.begin(), text.end(), open);
    const auto closed = std::count(text.begin(), text.end(), close);
    if (opened != closed) {
      return fmt::format("; it has {} '{}' and {} '{}'", opened, open, closed, close);
    }
  }
  return {};
}

Result<SourceText> source_of(const std::string& argument) {
  if (argument.empty()) {
    return fail("POLICY is empty; it is a file, or a text such as '{function: fix, k0: 0.01}'");
  }
  if (argument == "-") {
    auto text = read_all(std::cin, "standard input");
    if (!text) return tl::unexpected(text.error());
    return SourceText{std::move(*text), "standard input"};
  }
  std::error_code no_file;
  const bool exists = std::filesystem::exists(argument, no_file) && !no_file;
  if (!exists) {
    if (argument.find_first_of("{:\n") != std::string::npos) return SourceText{argument, "POLICY"};
    return fail(
        fmt::format("there is no file {}; POLICY is a file, or a text such as "
                    "'{{function: fix, k0: 0.01}}'",
                    argument));
  }
  if (std::filesystem::is_directory(argument))
    return fail(argument + " is a folder, not a policy's file");
  std::ifstream file(argument, std::ios::binary);
  if (!file) return fail(fmt::format("cannot open {}", argument));
  auto text = read_all(file, argument);
  if (!text) return tl::unexpected(text.error());
  return SourceText{std::move(*text), argument};
}

Result<LocatedJson> located_document(const std::string& argument) {
  const Result<SourceText> source = source_of(argument);
  if (!source) return tl::unexpected(source.error());
  Result<LocatedJson> located = located_json_from_yaml(source->text, source->name);
  if (!located) return fail(located.error().message + missing_brace(source->text));
  const nlohmann::json& json = located->json;
  if (json.is_object() && json.contains("search") && json.contains("train")) {
    return fail(fmt::format("{} is an experiment; give one of its policies", source->name));
  }
  return located;
}

}  // namespace

Result<LocatedJson> policy_document(const std::string& argument) {
  return located_document(argument);
}

Result<Policy> policy_from_argument(const std::string& argument, const PolicyContext& context) {
  const auto located = located_document(argument);
  if (!located) return tl::unexpected(located.error());
  Result<Policy> policy = policy_from_json(located->json, context);
  if (!policy) return tl::unexpected(located->located(policy.error()));
  return policy;
}

}  // namespace lrtune

// YAML text as JSON that remembers where each value stands, so that an error about a value can name
// file and line.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/result.h"

namespace lrtune {

inline constexpr std::size_t kMaxYamlBytes = 1024 * 1024;
inline constexpr int kMaxYamlDepth = 16;  // maps and lists inside one another
inline constexpr std::size_t kMaxYamlKeyBytes = 200;

struct Place {
  int line = 1;    // from 1
  int column = 1;  // from 1, in characters
  bool operator==(const Place&) const = default;
};

struct LocatedJson {
  std::string file;
  nlohmann::json json;
  std::map<std::string, Place> places;  // JSON pointer -> its key, or the item of a list itself

  // The place of `pointer`, or of its nearest ancestor that the text has.
  Place place(std::string_view pointer) const;
  // The same error as "FILE:LINE: MESSAGE (KEY)"; its path stays.
  Error located(const Error& error) const;
};

// "/search/policies/0/k0" as people write it: "search.policies[0].k0".
std::string key_words(std::string_view pointer);

// One YAML 1.2 document (JSON is one, too) with the scalars of the core schema; a quoted scalar is
// a text. Errors read "FILE:LINE: MESSAGE": no UTF-8, control characters, over kMaxYamlBytes,
// kMaxYamlDepth or kMaxYamlKeyBytes, a key that stands twice, and what no configuration needs:
// anchors, aliases, tags, keys that are not scalars, a second document.
Result<LocatedJson> located_json_from_yaml(const std::string& text, const std::string& file);

// The same without the places.
Result<nlohmann::json> yaml_to_json(const std::string& text, const std::string& file);

}  // namespace lrtune

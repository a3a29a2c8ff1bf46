// Reads a JSON object field by field with range checks. The first error stays; a field that nobody
// asked for is an error that suggests the nearest known name.
//
//   ObjectReader reader(json, "/train/optimizer", "optimizer");
//   auto rate = reader.required_number("momentum", Range::half_open(0, 1));
//   if (auto error = reader.finish()) return tl::unexpected(*error);
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace lrtune {

// The known name with the smallest edit distance (swapped neighbours count as one edit), if it is
// near enough to be a slip of the pen.
std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> known);

// `parent` with one more JSON-pointer step; '~' and '/' in `key` are escaped.
std::string child_path(std::string_view parent, std::string_view key);
std::string child_path(std::string_view parent, std::size_t index);

// A set of allowed numbers, with the words an error uses for it.
struct Range {
  double low;
  double high;
  bool low_open = false;
  bool high_open = false;
  bool contains(double value) const;  // false for NaN and infinities
  std::string words() const;  // "above 0", "from 0 to below 1", "at least 1", "a finite number" ...

  static Range any();
  static Range above(double low);
  static Range at_least(double low);
  static Range closed(double low, double high);
  static Range half_open(double low, double high);  // low <= x < high
  static Range open(double low, double high);
};

class ObjectReader {
 public:
  // `json` must outlive the reader. `what` names the object in errors, e.g. "optimizer".
  ObjectReader(const nlohmann::json& json, std::string path, std::string what);

  // Another name for the object in errors from now on, once it is known what it is.
  void rename(std::string what) { what_ = std::move(what); }

  bool has(std::string_view key);
  // The raw value (marks the key as known), or nullptr.
  const nlohmann::json* raw(std::string_view key);
  const nlohmann::json* required_raw(std::string_view key);

  double required_number(std::string_view key, Range range);
  double number(std::string_view key, Range range, double fallback);
  std::int64_t required_integer(std::string_view key, std::int64_t low, std::int64_t high);
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high,
                       std::int64_t fallback);
  bool boolean(std::string_view key, bool fallback);
  std::string required_string(std::string_view key);
  std::string string(std::string_view key, std::string fallback);
  // A string out of a closed set; an error lists the set and suggests the nearest.
  std::string one_of(std::string_view key, std::span<const std::string> allowed,
                     const std::optional<std::string>& fallback = std::nullopt);

  // Records an error of the caller's own about `key` (or about the object, if empty), unless one is
  // there.
  void error(std::string_view key, std::string message);
  // The same with an error that knows its place, such as that of a reader of a part of this object.
  void error(Error error);
  bool failed() const { return error_.has_value(); }
  const std::string& path() const { return path_; }

  // Records that the object needs one of `keys` and has none.
  void error_missing(std::vector<std::string> keys);

  // The first error, or an unknown key's; a missing key that stands there misspelt is told as the
  // latter. Call it once, after all reads.
  std::optional<Error> finish();

 private:
  Error unknown_key(const std::string& key);
  bool is_known(const std::string& key) const;

  const nlohmann::json& json_;
  std::string path_;
  std::string what_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
  std::vector<std::string> missing_keys_;  // if that is what error_ says
};

}  // namespace lrtune

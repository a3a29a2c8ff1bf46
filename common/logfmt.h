// The log's lines: logfmt, one event a line, `event=NAME key=value ...`. The one place that quotes.
//
// A value is written as it is if it is made of ASCII letters, digits and the signs that are common
// in names, numbers and paths; anything else is a JSON string in ASCII. So a value never ends its
// line or its quotes, whoever wrote it, and any JSON reader gives back what it was.
#pragma once

#include <concepts>
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/ids.h"

namespace lrtune {

// A pattern for spdlog: time, level and `fields` ("key=value ...", in the pattern's own language;
// may be empty) stand before the pairs of a LogLine.
std::string log_pattern(std::string_view fields = {});

// Bytes of one value; a longer one is cut and says so. What peers send goes into the log.
inline constexpr std::size_t kLongestLogValue = 4096;

std::string logfmt_value(std::string_view value);

class LogLine {
 public:
  explicit LogLine(std::string_view event);

  // Signs that are no part of a key (lower case letters, digits, '_', '.') become '_'.
  LogLine& add(std::string_view key, std::string_view value);
  LogLine& add(std::string_view key, double value);
  LogLine& add(std::string_view key, std::integral auto value) {
    return add_plain(key, std::to_string(value));
  }
  template <typename Tag>
  LogLine& add(std::string_view key, Id<Tag> id) {
    return add_plain(key, std::to_string(id.value));
  }
  // Each member of a flat object; a key that the line has already is written as "numbers.KEY".
  LogLine& add_all(const nlohmann::json& numbers);

  bool has(std::string_view key) const;
  const std::string& text() const { return text_; }

 private:
  LogLine& add_plain(std::string_view key, std::string_view value);

  std::string text_;
  std::string keys_ = " event ";  // each with a blank before and behind it
};

}  // namespace lrtune

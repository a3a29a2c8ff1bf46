#include "common/logfmt.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lrtune {
namespace {

bool is_letter_or_digit(char sign) {
  return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z') ||
         (sign >= '0' && sign <= '9');
}

bool is_plain(std::string_view value) {
  constexpr std::string_view kSigns = "_-.:/@+,*%#";
  return !value.empty() && std::all_of(value.begin(), value.end(), [&](char sign) {
    return is_letter_or_digit(sign) || kSigns.find(sign) != std::string_view::npos;
  });
}

// A JSON string; what is no UTF-8 becomes U+FFFD.
std::string json_string(std::string_view value) {
  return nlohmann::json(value).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string key_of(std::string_view key) {
  std::string clean(key);
  for (char& sign : clean) {
    const bool allowed =
        (is_letter_or_digit(sign) && !(sign >= 'A' && sign <= 'Z')) || sign == '_' || sign == '.';
    if (!allowed) sign = '_';
  }
  return clean.empty() ? "_" : clean;
}

}  // namespace

std::string log_pattern(std::string_view fields) {
  return fmt::format("time=%Y-%m-%dT%H:%M:%S.%e%z level=%l {}{}%v", fields,
                     fields.empty() ? "" : " ");
}

std::string logfmt_value(std::string_view value) {
  if (value.size() > kLongestLogValue) {
    return json_string(
        fmt::format("{}... ({} bytes)", value.substr(0, kLongestLogValue), value.size()));
  }
  return is_plain(value) ? std::string(value) : json_string(value);
}

LogLine::LogLine(std::string_view event) : text_("event=" + logfmt_value(event)) {}

LogLine& LogLine::add_plain(std::string_view key, std::string_view value) {
  const std::string clean = key_of(key);
  keys_ += clean + ' ';
  text_ += ' ';
  text_ += clean;
  text_ += '=';
  text_ += value;
  return *this;
}

LogLine& LogLine::add(std::string_view key, std::string_view value) {
  return add_plain(key, logfmt_value(value));
}

LogLine& LogLine::add(std::string_view key, double value) {
  return add_plain(key, fmt::format("{:.6g}", value));
}

bool LogLine::has(std::string_view key) const {
  return keys_.find(' ' + key_of(key) + ' ') != std::string::npos;
}

LogLine& LogLine::add_all(const nlohmann::json& numbers) {
  for (const auto& [name, value] : numbers.items()) {
    const std::string key = has(name) ? "numbers." + name : name;
    if (value.is_string()) {
      add(key, value.get_ref<const std::string&>());
    } else if (value.is_number_float()) {
      add(key, value.get<double>());
    } else if (value.is_primitive()) {
      add_plain(key, value.dump());
    } else {
      add(key, value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    }
  }
  return *this;
}

}  // namespace lrtune

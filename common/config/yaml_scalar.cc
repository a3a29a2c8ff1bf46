#include "common/config/yaml_scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>

namespace lrtune {
namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t count_digits(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  return static_cast<std::size_t>(end - text.begin());
}

template <typename Integer>
std::optional<Integer> integer_from(std::string_view digits, int base) {
  Integer value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// 0o17 and 0x1F; they have no sign.
std::optional<nlohmann::json> octal_or_hexadecimal(std::string_view text) {
  if (text.size() < 3 || text[0] != '0' || (text[1] != 'o' && text[1] != 'x')) return std::nullopt;
  const auto value = integer_from<std::uint64_t>(text.substr(2), text[1] == 'o' ? 8 : 16);
  if (!value) return std::nullopt;
  return nlohmann::json(*value);
}

std::optional<double> infinity_or_nan(std::string_view text) {
  if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (!is_one_of(text, {".inf", ".Inf", ".INF"})) return std::nullopt;
  const double infinity = std::numeric_limits<double>::infinity();
  return negative ? -infinity : infinity;
}

enum class Spelling { kText, kInteger, kFloat };

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
Spelling spelling_of(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const std::size_t whole = count_digits(text);
  text.remove_prefix(whole);
  if (text.empty()) return whole > 0 ? Spelling::kInteger : Spelling::kText;
  if (text[0] == '.') {
    text.remove_prefix(1);
    const std::size_t fraction = count_digits(text);
    if (whole + fraction == 0) return Spelling::kText;
    text.remove_prefix(fraction);
  } else if (whole == 0) {
    return Spelling::kText;
  }
  if (text.empty()) return Spelling::kFloat;
  if (text[0] != 'e' && text[0] != 'E') return Spelling::kText;
  text.remove_prefix(1);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const bool has_exponent = !text.empty() && count_digits(text) == text.size();
  return has_exponent ? Spelling::kFloat : Spelling::kText;
}

Result<nlohmann::json> float_from(std::string_view text) {
  const std::string_view unsigned_text = text.starts_with('+') ? text.substr(1) : text;
  double value = 0;
  const char* end = unsigned_text.data() + unsigned_text.size();
  const auto [stop, error] = std::from_chars(unsigned_text.data(), end, value);
  if (error != std::errc() || stop != end) {
    return fail(fmt::format("the number {} is too large or too small for a double", text));
  }
  return nlohmann::json(value);
}

Result<nlohmann::json> integer_or_double_from(std::string_view text) {
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  if (const auto value = integer_from<std::int64_t>(digits, 10)) return nlohmann::json(*value);
  if (const auto value = integer_from<std::uint64_t>(digits, 10)) return nlohmann::json(*value);
  return float_from(text);
}

}  // namespace

Result<nlohmann::json> json_from_plain_scalar(std::string_view text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nlohmann::json(nullptr);
  if (is_one_of(text, {"true", "True", "TRUE"})) return nlohmann::json(true);
  if (is_one_of(text, {"false", "False", "FALSE"})) return nlohmann::json(false);
  if (const auto value = octal_or_hexadecimal(text)) return *value;
  if (const auto value = infinity_or_nan(text)) return nlohmann::json(*value);
  switch (spelling_of(text)) {
    case Spelling::kInteger:
      return integer_or_double_from(text);
    case Spelling::kFloat:
      return float_from(text);
    case Spelling::kText:
      break;
  }
  return nlohmann::json(std::string(text));
}

}  // namespace lrtune

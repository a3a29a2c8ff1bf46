#include "common/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace lrtune {
namespace {

// Inserted, dropped and changed characters and swapped neighbours (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before;
  std::vector<std::size_t> above;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

std::string number_words(double value) { return fmt::format("{}", value); }

}  // namespace

std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> known) {
  const std::size_t limit = std::max<std::size_t>(1, name.size() / 2);
  std::optional<std::string> best;
  std::size_t best_distance = limit + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string child_path(std::string_view parent, std::string_view key) {
  std::string path(parent);
  path += '/';
  for (const char c : key) {
    if (c == '~') {
      path += "~0";
    } else if (c == '/') {
      path += "~1";
    } else {
      path += c;
    }
  }
  return path;
}

std::string child_path(std::string_view parent, std::size_t index) {
  return fmt::format("{}/{}", parent, index);
}

bool Range::contains(double value) const {
  if (!std::isfinite(value)) return false;
  const bool above_low = low_open ? value > low : value >= low;
  const bool below_high = high_open ? value < high : value <= high;
  return above_low && below_high;
}

std::string Range::words() const {
  const bool has_low = std::isfinite(low);
  const bool has_high = std::isfinite(high);
  if (!has_low && !has_high) return "a finite number";
  if (!has_high) return (low_open ? "above " : "at least ") + number_words(low);
  const std::string to = number_words(high);
  if (!has_low) return (high_open ? "below " : "at most ") + to;
  if (low_open)
    return fmt::format("above {} and {} {}", number_words(low), high_open ? "below" : "at most",
                       to);
  return fmt::format("from {} to {}{}", number_words(low), high_open ? "below " : "", to);
}

Range Range::any() {
  constexpr double inf = std::numeric_limits<double>::infinity();
  return {-inf, inf};
}
Range Range::above(double low) { return {low, std::numeric_limits<double>::infinity(), true}; }
Range Range::at_least(double low) { return {low, std::numeric_limits<double>::infinity()}; }
Range Range::closed(double low, double high) { return {low, high}; }
Range Range::half_open(double low, double high) { return {low, high, false, true}; }
Range Range::open(double low, double high) { return {low, high, true, true}; }

ObjectReader::ObjectReader(const nlohmann::json& json, std::string path, std::string what)
    : json_(json), path_(std::move(path)), what_(std::move(what)) {
  if (!json_.is_object()) {
    error("", fmt::format("{} must be a map of keys to values, not {}", what_, shown(json_)));
  }
}

bool ObjectReader::has(std::string_view key) { return raw(key) != nullptr; }

const nlohmann::json* ObjectReader::raw(std::string_view key) {
  known_.emplace_back(key);
  if (!json_.is_object()) return nullptr;
  const auto it = json_.find(std::string(key));
  return it == json_.end() ? nullptr : &*it;
}

const nlohmann::json* ObjectReader::required_raw(std::string_view key) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) error_missing({std::string(key)});
  return value;
}

double ObjectReader::required_number(std::string_view key, Range range) {
  if (required_raw(key) == nullptr) return range.low;
  return number(key, range, range.low);
}

double ObjectReader::number(std::string_view key, Range range, double fallback) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) {
    error(key, fmt::format("{} of {} must be a number ({}), not {}", key, what_, range.words(),
                           shown(*value)));
    return fallback;
  }
  const double number = value->get<double>();
  if (!range.contains(number)) {
    const bool bounded = std::isfinite(range.low) || std::isfinite(range.high);
    error(key, fmt::format("{} of {} must be {}{}, not {}", key, what_,
                           std::isinf(number) && bounded ? "finite and " : "", range.words(),
                           number_words(number)));
    return fallback;
  }
  return number;
}

std::int64_t ObjectReader::required_integer(std::string_view key, std::int64_t low,
                                            std::int64_t high) {
  if (required_raw(key) == nullptr) return low;
  return integer(key, low, high, low);
}

std::int64_t ObjectReader::integer(std::string_view key, std::int64_t low, std::int64_t high,
                                   std::int64_t fallback) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return fallback;
  const std::string allowed = high == std::numeric_limits<std::int64_t>::max()
                                  ? fmt::format("a whole number of at least {}", low)
                                  : fmt::format("a whole number from {} to {}", low, high);
  std::optional<std::int64_t> number;
  if (value->is_number_unsigned()) {
    const auto unsigned_value = value->get<std::uint64_t>();
    if (unsigned_value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      number = static_cast<std::int64_t>(unsigned_value);
    }
  } else if (value->is_number_integer()) {
    number = value->get<std::int64_t>();
  } else if (value->is_number_float()) {
    const double real = value->get<double>();  // 1e4 is a whole number too
    if (std::floor(real) == real && std::abs(real) < 0x1p53)
      number = static_cast<std::int64_t>(real);
  }
  if (!number || *number < low || *number > high) {
    error(key, fmt::format("{} of {} must be {}, not {}", key, what_, allowed, shown(*value)));
    return fallback;
  }
  return *number;
}

bool ObjectReader::boolean(std::string_view key, bool fallback) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) {
    error(key, fmt::format("{} of {} must be true or false, not {}", key, what_, shown(*value)));
    return fallback;
  }
  return value->get<bool>();
}

std::string ObjectReader::required_string(std::string_view key) {
  if (required_raw(key) == nullptr) return {};
  return string(key, {});
}

std::string ObjectReader::string(std::string_view key, std::string fallback) {
  const nlohmann::json* value = raw(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) {
    error(key, fmt::format("{} of {} must be a text, not {}", key, what_, shown(*value)));
    return fallback;
  }
  return value->get<std::string>();
}

std::string ObjectReader::one_of(std::string_view key, std::span<const std::string> allowed,
                                 const std::optional<std::string>& fallback) {
  const nlohmann::json* value = fallback ? raw(key) : required_raw(key);
  const std::string otherwise = fallback.value_or(allowed.front());
  if (value == nullptr) return otherwise;
  const std::string text = value->is_string() ? value->get<std::string>() : shown(*value);
  if (value->is_string() && std::find(allowed.begin(), allowed.end(), text) != allowed.end())
    return text;
  const auto near = nearest_name(text, allowed);
  error(key,
        fmt::format("{} of {} must be one of {}, not '{}'{}", key, what_, fmt::join(allowed, ", "),
                    text, near ? fmt::format("; did you mean '{}'?", *near) : ""));
  return otherwise;
}

void ObjectReader::error(std::string_view key, std::string message) {
  if (error_) return;
  error_ = Error{std::move(message), key.empty() ? path_ : child_path(path_, key)};
}

void ObjectReader::error(Error error) {
  if (!error_) error_ = std::move(error);
}

void ObjectReader::error_missing(std::vector<std::string> keys) {
  if (error_) return;
  error("", fmt::format("{} needs the key '{}'", what_, fmt::join(keys, "' or '")));
  missing_keys_ = std::move(keys);
}

bool ObjectReader::is_known(const std::string& key) const {
  return std::find(known_.begin(), known_.end(), key) != known_.end();
}

Error ObjectReader::unknown_key(const std::string& key) {
  const auto near = nearest_name(key, known_);
  std::sort(known_.begin(), known_.end());
  known_.erase(std::unique(known_.begin(), known_.end()), known_.end());
  return {
      fmt::format("{} has no key '{}'; {}known keys: {}", what_, key,
                  near ? fmt::format("did you mean '{}'? ", *near) : "", fmt::join(known_, ", ")),
      child_path(path_, key)};
}

std::optional<Error> ObjectReader::finish() {
  if (!json_.is_object() || (error_ && missing_keys_.empty())) return error_;
  for (const auto& [key, value] : json_.items()) {
    if (is_known(key)) continue;
    const bool explains = error_ && nearest_name(key, missing_keys_);
    if (!error_ || explains) return error_ = unknown_key(key);
  }
  return error_;
}

}  // namespace lrtune

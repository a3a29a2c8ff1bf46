#include "common/wire/body_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/wire/utf8.h"

namespace lrtune::wire {

BodyReader::BodyReader(const nlohmann::json& body, std::string kind)
    : body_(body), kind_(std::move(kind)) {
  asked_.reserve(8);
  if (!body_.is_object()) error_ = Error{fmt::format("{}: the body must be a map", kind_), {}};
}

const nlohmann::json* BodyReader::optional_value(const char* key) {
  if (!body_.is_object()) return nullptr;
  asked_.push_back(key);
  const auto it = body_.find(key);
  if (it == body_.end()) return nullptr;
  ++found_;
  return &*it;
}

const nlohmann::json* BodyReader::value(const char* key) {
  const nlohmann::json* found = optional_value(key);
  if (found == nullptr) error(key, "is missing");
  return found;
}

std::int64_t BodyReader::integer(const char* key, std::int64_t low, std::int64_t high) {
  const auto number = optional_integer(key, low, high);
  if (!number) error(key, "is missing");
  return number.value_or(low);
}

std::optional<std::int64_t> BodyReader::optional_integer(const char* key, std::int64_t low,
                                                         std::int64_t high) {
  const nlohmann::json* json = optional_value(key);
  if (json == nullptr) return std::nullopt;
  // nlohmann keeps non-negative numbers as unsigned, also beyond the signed range.
  const bool fits =
      json->is_number_integer() &&
      (!json->is_number_unsigned() ||
       json->get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
  const std::int64_t number = fits ? json->get<std::int64_t>() : 0;
  if (fits && number >= low && number <= high) return number;
  error(key, fmt::format("must be an integer from {} to {}", low, high));
  return low;
}

std::uint64_t BodyReader::unsigned_integer(const char* key) {
  const nlohmann::json* json = value(key);
  if (json == nullptr) return 0;
  if (json->is_number_unsigned()) return json->get<std::uint64_t>();
  error(key, "must be an integer of at least 0");
  return 0;
}

double BodyReader::real(const char* key) {
  const nlohmann::json* json = value(key);
  if (json == nullptr) return 0;
  if (json->is_number()) return json->get<double>();
  error(key, "must be a number");
  return 0;
}

double BodyReader::real(const char* key, double low, double high) {
  const double number = real(key);
  if (number >= low && number <= high) return number;
  error(key, fmt::format("must be a number from {} to {}", low, high));
  return low;
}

std::string BodyReader::text(const char* key, std::size_t most_bytes) {
  const nlohmann::json* json = value(key);
  if (json == nullptr) return {};
  if (json->is_string() && json->get_ref<const std::string&>().size() <= most_bytes)
    return json->get<std::string>();
  error(key, fmt::format("must be a text of at most {} bytes", most_bytes));
  return {};
}

std::string BodyReader::words(const char* key) { return printable_text(text(key)); }

Digest BodyReader::digest(const char* key) {
  Digest digest;
  const nlohmann::json* json = value(key);
  if (json == nullptr) return digest;
  if (!json->is_binary() || json->get_binary().size() != digest.bytes.size()) {
    error(key, fmt::format("must be {} bytes of binary", digest.bytes.size()));
    return digest;
  }
  std::copy(json->get_binary().begin(), json->get_binary().end(), digest.bytes.begin());
  return digest;
}

void BodyReader::error(std::string_view key, std::string_view message) {
  if (!error_) error_ = Error{fmt::format("{}: '{}' {}", kind_, key, message), {}};
}

std::optional<Error> BodyReader::finish() {
  if (error_ || found_ == body_.size()) return error_;
  for (const auto& [key, value] : body_.items()) {
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
      error(key, fmt::format("is not a key of it; it has {}", fmt::join(asked_, ", ")));
    }
  }
  return error_;
}

}  // namespace lrtune::wire

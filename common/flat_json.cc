#include "common/flat_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <vector>

namespace lrtune {
namespace {

// Paths and names that people give may hold any bytes.
std::string dumped(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; });
}

void append_text(std::string& out, std::string_view text) {
  if (!is_plain(text)) {
    out += dumped(text);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

void append_double(std::string& out, double value) {
  std::array<char, 64> buffer;
  char* end = nlohmann::detail::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
}

bool all_finite(const nlohmann::json& json) {
  if (json.is_number_float()) return std::isfinite(json.get<double>());
  return !json.is_structured() || std::all_of(json.begin(), json.end(), all_finite);
}

}  // namespace

nlohmann::json FlatJson::Value::json() const {
  return std::visit([](const auto& value) { return nlohmann::json(value); }, value_);
}

FlatJson::FlatJson(std::span<const Entry> entries) {
  std::vector<const Entry*> sorted;
  sorted.reserve(entries.size());
  for (const Entry& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const Entry* a, const Entry* b) { return a->key < b->key; });
  text_.reserve(32 * entries.size() + 2);
  text_ = "{";
  for (const Entry* entry : sorted) {
    if (text_.size() > 1) text_ += ',';
    append_text(text_, entry->key);
    text_ += ':';
    append(entry->value);
  }
  text_ += '}';
}

FlatJson::FlatJson(const nlohmann::json& json) : text_(dumped(json)), finite_(all_finite(json)) {}

void FlatJson::append(const Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value.value_)) {
    append_text(text_, *text);
  } else if (const auto* real = std::get_if<double>(&value.value_)) {
    finite_ = finite_ && std::isfinite(*real);
    if (std::isfinite(*real)) {
      append_double(text_, *real);
    } else {
      text_ += "null";
    }
  } else if (const auto* whole = std::get_if<std::int64_t>(&value.value_)) {
    fmt::format_to(std::back_inserter(text_), "{}", *whole);
  } else if (const auto* natural = std::get_if<std::uint64_t>(&value.value_)) {
    fmt::format_to(std::back_inserter(text_), "{}", *natural);
  } else if (const auto* truth = std::get_if<bool>(&value.value_)) {
    text_ += *truth ? "true" : "false";
  } else {
    text_ += "null";
  }
}

}  // namespace lrtune

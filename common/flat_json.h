// A flat JSON object as its text: made in one pass without a tree, since the coordinator makes
// several for each trial and reads hardly any of them back. The text is what nlohmann::json's
// dump() gives: keys sorted, no blanks.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace lrtune {

class FlatJson {
 public:
  // A view: texts must outlive it.
  class Value {
   public:  // NOLINTBEGIN(google-explicit-constructor): entries are written as in JSON
    Value(std::nullptr_t) {}
    Value(bool value) : value_(value) {}
    template <std::integral Integer>
    Value(Integer value) {
      if constexpr (std::signed_integral<Integer>) {
        value_ = static_cast<std::int64_t>(value);
      } else {
        value_ = static_cast<std::uint64_t>(value);
      }
    }
    Value(double value) : value_(value) {}
    Value(const char* value) : value_(std::string_view(value)) {}
    Value(const std::string& value) : value_(std::string_view(value)) {}
    Value(std::string_view value) : value_(value) {}
    template <typename T>
    Value(const std::optional<T>& value) : value_(value ? Value(*value).value_ : nullptr) {}

    nlohmann::json json() const;

   private:  // NOLINTEND(google-explicit-constructor)
    friend class FlatJson;
    std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string_view>
        value_ = nullptr;
  };
  struct Entry {
    std::string_view key;
    Value value;
  };

  FlatJson() : text_("{}") {}
  // Keys must be different; they may stand in any order.
  FlatJson(std::initializer_list<Entry> entries)
      : FlatJson(std::span(entries.begin(), entries.size())) {}
  explicit FlatJson(std::span<const Entry> entries);
  // Any JSON value.
  FlatJson(const nlohmann::json& json);  // NOLINT(google-explicit-constructor)

  const std::string& text() const { return text_; }
  // False if a number was NaN or infinite, which JSON cannot write: the text has null there.
  bool finite() const { return finite_; }
  nlohmann::json json() const { return nlohmann::json::parse(text_); }

  bool operator==(const FlatJson&) const = default;

 private:
  void append(const Value& value);

  std::string text_;
  bool finite_ = true;
};

}  // namespace lrtune

// A check of an option that is a number, with words that a person can use.
#pragma once

#include <fmt/format.h>

#include <CLI/Validators.hpp>
#include <charconv>
#include <cstdint>
#include <string>

namespace lrtune {

// Accepts whole numbers from `least` on, in digits.
inline CLI::Validator whole_number_from(std::int64_t least) {
  const auto check = [least](const std::string& text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size() && value >= least;
    return whole ? std::string()
                 : fmt::format("must be a whole number from {}, not '{}'", least, text);
  };
  return CLI::Validator(check, "");
}

// Accepts numbers from `low` to `high`. CLI::Range lets NaN pass, which is neither below nor above.
inline CLI::Validator number_between(double low, double high) {
  const auto check = [low, high](const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = error == std::errc() && end == text.data() + text.size();
    return number && value >= low && value <= high
               ? std::string()
               : fmt::format("must be a number from {} to {}, not '{}'", low, high, text);
  };
  return CLI::Validator(check, fmt::format("FLOAT in [{} - {}]", low, high));
}

}  // namespace lrtune

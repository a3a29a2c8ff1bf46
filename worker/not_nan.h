// A check of an option that is a number.
#pragma once

#include <CLI/Validators.hpp>
#include <cmath>
#include <cstdlib>
#include <string>

namespace lrtune {

// CLI::Range lets NaN pass, which is neither below nor above.
inline CLI::Validator not_nan() {
  const auto check = [](const std::string& text) {
    return std::isnan(std::strtod(text.c_str(), nullptr)) ? "must be a number, not '" + text + "'"
                                                          : std::string();
  };
  return CLI::Validator(check, "");
}

}  // namespace lrtune

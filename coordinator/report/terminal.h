// What the place that a text goes to can show. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lrtune {

struct Terminal {
  bool is_terminal = false;
  int width = 0;  // columns; 0 if it is no terminal or does not say
  bool colour =
      false;  // a terminal, NO_COLOR (https://no-color.org) unset or empty, TERM not "dumb"
  bool redraws = false;  // a terminal that can draw a line again: TERM is not "dumb"
};

enum class Ink { kPlain, kBold, kDim, kGood, kBad };

// `text` with the escape codes of `ink`, or unchanged if `colour` is false.
std::string paint(std::string_view text, Ink ink, bool colour);

}  // namespace lrtune

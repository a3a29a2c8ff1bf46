// What the places that text goes to can show.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace lrtune {

struct Terminal {
  bool is_terminal = false;
  int width = 0;  // columns; 0 if it is no terminal or does not say
  bool colour =
      false;  // a terminal, NO_COLOR (https://no-color.org) unset or empty, TERM not "dumb"
  bool redraws = false;  // a terminal that can draw a line again: TERM is not "dumb"
};

// `descriptor`: 1 for standard output, 2 for standard error. Reads the environment; the width is
// the present one.
Terminal terminal_of(int descriptor);

enum class Ink { kPlain, kBold, kDim, kGood, kBad };

// `text` with the escape codes of `ink`, or unchanged if `colour` is false.
std::string paint(std::string_view text, Ink ink, bool colour);

// Writes data to standard output, all of it and flushed; false if that failed (a full disk), said
// on standard error.
bool write_data(std::string_view text);

// Writes to standard error at once. That it fails, as on a terminal that was closed, changes
// nothing: what a person would have read is no reason to end a run.
void write_note(std::string_view text) noexcept;

template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  write_note(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace lrtune

// Standard output and standard error: what they can show, and writing to them.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "coordinator/report/terminal.h"

namespace lrtune {

// `descriptor`: 1 for standard output, 2 for standard error. Reads the environment; the width is
// the present one.
Terminal terminal_of(int descriptor);

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

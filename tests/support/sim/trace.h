// The last lines of what happened. Off unless a seed that failed is run again.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/wire/messages.h"
#include "tests/support/sim/event_loop.h"

namespace lrtune::sim {

// What the simulated cluster found wrong.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, std::string_view what) {
  if (!holds) throw Violation(std::string(what));
}

// The text is made only of what is broken.
template <typename MakeText>
requires std::invocable<MakeText>
void require(bool holds, const MakeText& what) {
  if (!holds) throw Violation(what());
}

class Trace {
 public:
  Trace(const EventLoop& loop, std::size_t keep) : loop_(loop), keep_(keep) {}

  bool on() const { return keep_ > 0; }

  template <typename... Parts>
  void line(fmt::format_string<Parts...> format, Parts&&... parts) {
    if (!on()) return;
    lines_.push_back(fmt::format("{:11.6f}  ", static_cast<double>(loop_.now().count()) * 1e-6) +
                     fmt::format(format, std::forward<Parts>(parts)...));
    if (lines_.size() > keep_) lines_.pop_front();
  }

  std::string text() const {
    std::string text;
    for (const std::string& line : lines_) text += line + "\n";
    return text;
  }

 private:
  const EventLoop& loop_;
  std::size_t keep_;
  std::deque<std::string> lines_;
};

std::string describe(const wire::ToCoordinator& message);
std::string describe(const wire::FromCoordinator& message);

template <typename Message>
std::string describe(const std::vector<Message>& batch) {
  std::string text;
  for (const Message& message : batch) text += (text.empty() ? "" : ", ") + describe(message);
  return text;
}

}  // namespace lrtune::sim

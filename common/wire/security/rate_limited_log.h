// Lines about peers that misbehave: as many as they like to cause, but few are written.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace lrtune::wire {

// One thread.
class RateLimitedLog {
 public:
  using Clock = std::chrono::steady_clock;
  explicit RateLimitedLog(std::function<void(const std::string&)> log) : log_(std::move(log)) {}

  // At most one line a second of each `kind` (a literal); the next says how many were left out.
  void say(const char* kind, const std::string& text, Clock::time_point now);

 private:
  struct Kind {
    Clock::time_point next{};
    std::uint64_t left_out = 0;
  };
  std::function<void(const std::string&)> log_;
  std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace lrtune::wire

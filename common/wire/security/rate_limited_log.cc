#include "common/wire/security/rate_limited_log.h"

#include <fmt/format.h>

#include <utility>

namespace lrtune::wire {

void RateLimitedLog::say(const char* name, const std::string& text, Clock::time_point now) {
  constexpr std::chrono::seconds kPause{1};
  Kind& kind = kinds_[name];
  if (now < kind.next) {
    ++kind.left_out;
    return;
  }
  kind.next = now + kPause;
  const std::uint64_t left_out = std::exchange(kind.left_out, 0);
  log_(left_out == 0 ? text
                     : fmt::format("{} ({} such lines before were left out)", text, left_out));
}

}  // namespace lrtune::wire

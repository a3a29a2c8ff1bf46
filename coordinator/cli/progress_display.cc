#include "coordinator/cli/progress_display.h"

#include <unistd.h>

#include <cstdio>

#include "coordinator/cli/standard_streams.h"

namespace lrtune {

void ProgressDisplay::show(const CampaignView& view, SteadyTime now) {
  if (!start_) start_ = now;
  const double elapsed = std::chrono::duration<double>(now - *start_).count();
  const ProgressTimes times{elapsed, time_left_.estimate(view, elapsed)};
  const Terminal terminal = terminal_of(STDERR_FILENO);
  if (terminal.redraws) {
    const auto lines = progress_block(view, times, terminal);
    write(redraw(drawn_, lines));
    drawn_ = lines.size();
    return;
  }
  for (const std::string& line : plain_.lines(view, times)) write(line + '\n');
}

void ProgressDisplay::say(const std::string& line) {
  clear();
  write(line + '\n');
}

void ProgressDisplay::clear() {
  if (drawn_ > 0) write(redraw(drawn_, {}));
  drawn_ = 0;
}

void ProgressDisplay::write(const std::string& bytes) { write_note(bytes); }

}  // namespace lrtune

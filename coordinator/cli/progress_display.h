// The live progress of one campaign on standard error.
#pragma once

#include <optional>
#include <string>

#include "coordinator/core/core.h"
#include "coordinator/report/progress.h"

namespace lrtune {

// One thread. On a terminal a block that is redrawn in place, elsewhere lines (progress.h). The
// cursor is never hidden, so nothing has to be restored, not even after a kill -9; lines stay below
// the block.
class ProgressDisplay {
 public:
  void show(const CampaignView& view, SteadyTime now);

  // Prints a line of its own; a block is drawn again below it.
  void say(const std::string& line);

  // Takes the block away; what is printed next takes its place.
  void clear();

 private:
  void write(const std::string& bytes);

  std::optional<SteadyTime> start_;
  TimeLeft time_left_;
  PlainProgress plain_;
  std::size_t drawn_ = 0;  // lines of the block on the screen
};

}  // namespace lrtune

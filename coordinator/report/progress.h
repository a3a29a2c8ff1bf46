// What `lrtune run` shows while it runs, as lines of text: a block for terminals, single lines
// elsewhere. Pure: pictures of the core and times come in, text goes out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "coordinator/core/snapshot.h"
#include "coordinator/report/terminal.h"

namespace lrtune {

// "0:07", "12:34", "1:02:03".
std::string clock_text(double seconds);

// The time that a campaign still needs, from the iterations that this run has done itself: what an
// earlier run did took no time of this one. One campaign.
class TimeLeft {
 public:
  // `seconds`: of this run so far. Nothing before the run has done some iterations.
  std::optional<double> estimate(const CampaignView& view, double seconds);

 private:
  bool started_ = false;
  double start_seconds_ = 0;
  std::int64_t start_iterations_ = 0;
};

// Several campaigns that one command carries out side by side, as one: sums, the state of the one
// that is furthest from its end (failed or cancelled if one of them is), the best of all. It waits
// if nothing of theirs runs and one of them waits. REQUIRES: views is not empty.
CampaignView together(std::span<const CampaignView> views);

struct ProgressTimes {
  double elapsed = 0;  // seconds of this run
  std::optional<double> left;
};

// The block of a terminal, without line ends, each line at most terminal.width columns (80 if
// unknown), with at most 12 running trials.
std::vector<std::string> progress_block(const CampaignView& view, const ProgressTimes& times,
                                        const Terminal& terminal);

// Lines for a log or a pipe: at each change of phase at once, for ended trials at most once a
// second, otherwise at most every ten seconds. One campaign.
class PlainProgress {
 public:
  std::vector<std::string> lines(const CampaignView& view, const ProgressTimes& times);

 private:
  std::optional<CampaignState> state_;
  std::int64_t ended_ = 0;
  std::string waiting_for_;
  double waiting_since_ = 0;
  bool waiting_said_ = false;
  double last_ = 0;
};

// Bytes that replace a block of `previous` lines, drawn before, by `lines`: cursor up, each line
// rewritten, the rest erased. With no lines they erase it.
std::string redraw(std::size_t previous, const std::vector<std::string>& lines);

}  // namespace lrtune

#include "coordinator/report/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "coordinator/report/text_table.h"

namespace lrtune {
namespace {

// A worker of this command's own is at the same place as whoever reads this.
std::string_view shown_worker(std::string_view name) {
  const auto slash = name.rfind('/');
  const bool local = slash != std::string_view::npos && name.find('@') < slash;
  return local ? name.substr(slash + 1) : name;
}

constexpr double kTrialLineEvery = 1;  // seconds
constexpr double kStatusLineEvery = 10;
constexpr double kWaitingAfter = 5;  // workers take a moment to start
constexpr std::size_t kMaxRunningLines = 12;
constexpr std::size_t kMaxBar = 40;  // columns
constexpr std::size_t kMaxPolicyColumn = 48;

double share_done(const CampaignView& view) {
  if (view.iterations_most <= 0) return 0;
  const double share =
      static_cast<double>(view.iterations_done) / static_cast<double>(view.iterations_most);
  return std::clamp(share, 0.0, 1.0);
}

std::string counts(const CampaignView& view) {
  std::string text = view.trials_most > view.trials
                         ? fmt::format("{} of at most {} trials", view.done, view.trials_most)
                         : fmt::format("{}/{} trials", view.done, view.trials);
  if (view.reused > 0) text += fmt::format(", {} reused", view.reused);
  if (view.diverged > 0) text += fmt::format(", {} diverged", view.diverged);
  if (view.failed > 0) text += fmt::format(", {} failed", view.failed);
  return text;
}

std::string best(const CampaignView& view) {
  return view.best_top1
             ? fmt::format("best top-1 {:.4f} (trial {})", *view.best_top1, view.best_trial.value)
             : std::string("no accuracy yet");
}

std::string times_text(const CampaignView& view, const ProgressTimes& times) {
  std::string text = clock_text(times.elapsed) + " elapsed";
  const bool over = view.state >= CampaignState::kDone;  // runs may have ended early
  if (times.left && *times.left > 0 && !over)
    text += ", about " + clock_text(*times.left) + " left";
  return text;
}

std::string bar(const CampaignView& view, const ProgressTimes& times, std::size_t width,
                bool colour) {
  const double share = share_done(view);
  const std::string tail =
      fmt::format(" {:3.0f} %  {}", std::floor(share * 100), times_text(view, times));
  if (width < tail.size() + 7) return shortened(tail.substr(1), width);
  const std::size_t room = std::min(width - tail.size() - 2, kMaxBar);
  const auto full = static_cast<std::size_t>(share * static_cast<double>(room));
  return '[' + paint(std::string(full, '#'), Ink::kGood, colour) + std::string(room - full, '.') +
         ']' + tail;
}

std::string running_line(const RunningTrial& trial, std::size_t width) {
  const std::string head =
      fmt::format("  {:<9} trial {:<4} ", shown_worker(trial.worker), trial.trial.value);
  std::string tail = fmt::format(" {:>6}/{}", trial.iteration, trial.iterations);
  tail += trial.top1 ? fmt::format("  top-1 {:.4f}", *trial.top1) : std::string(14, ' ');
  if (width < head.size() + tail.size() + 8) return shortened(head + trial.policy, width);
  const std::size_t column = std::min(width - head.size() - tail.size(), kMaxPolicyColumn);
  const std::string policy = shortened(trial.policy, column);
  return head + policy + std::string(column - display_width(policy), ' ') + tail;
}

}  // namespace

std::string clock_text(double seconds) {
  const auto total = static_cast<std::int64_t>(std::max(seconds, 0.0) + 0.5);
  const std::int64_t minutes = total / 60;
  if (minutes < 60) return fmt::format("{}:{:02}", minutes, total % 60);
  return fmt::format("{}:{:02}:{:02}", minutes / 60, minutes % 60, total % 60);
}

std::optional<double> TimeLeft::estimate(const CampaignView& view, double seconds) {
  if (view.iterations_most <= 0) return std::nullopt;
  if (!started_) {
    started_ = true;
    start_seconds_ = seconds;
    start_iterations_ = view.iterations_done;
  }
  const auto here = static_cast<double>(view.iterations_done - start_iterations_);
  const double spent = seconds - start_seconds_;
  if (here <= 0 || spent <= 0) return std::nullopt;
  const auto left = static_cast<double>(view.iterations_most - view.iterations_done);
  return std::max(left, 0.0) * spent / here;
}

namespace {

// Of two campaigns the one whose state tells how both stand.
bool tells_more(const CampaignView& one, const CampaignView& other) {
  const bool over = one.state > CampaignState::kDone;
  const bool other_over = other.state > CampaignState::kDone;
  return over != other_over ? over : one.state < other.state;
}

void add(CampaignView& sum, const CampaignView& view) {
  if (tells_more(view, sum)) {
    sum.state = view.state;
    sum.failure = view.failure;
  }
  sum.paused = sum.paused && view.paused;
  sum.trials += view.trials;
  sum.done += view.done;
  sum.diverged += view.diverged;
  sum.failed += view.failed;
  sum.reused += view.reused;
  sum.iterations_total += view.iterations_total;
  sum.iterations_done += view.iterations_done;
  sum.iterations_asked += view.iterations_asked;
  sum.trials_most += view.trials_most;
  sum.iterations_most += view.iterations_most;
  if (view.best_top1 && view.best_top1 > sum.best_top1) {
    sum.best_top1 = view.best_top1;
    sum.best_trial = view.best_trial;
  }
  if (sum.waiting_for.empty()) sum.waiting_for = view.waiting_for;
  // A run that both want is shown once.
  const auto same = [](const RunningTrial& a, const RunningTrial& b) {
    return std::tie(a.worker, a.policy, a.attempt, a.iteration, a.iterations) ==
           std::tie(b.worker, b.policy, b.attempt, b.iteration, b.iterations);
  };
  for (const RunningTrial& trial : view.running) {
    const bool known = std::ranges::any_of(
        sum.running, [&](const RunningTrial& other) { return same(trial, other); });
    if (!known) sum.running.push_back(trial);
  }
  sum.more_running += view.more_running;
}

}  // namespace

CampaignView together(std::span<const CampaignView> views) {
  CampaignView sum = views.front();
  for (const CampaignView& view : views.subspan(1)) add(sum, view);
  const bool alike =
      std::ranges::all_of(views, [&](const CampaignView& view) { return view.name == sum.name; });
  if (views.size() > 1) {
    sum.name = alike ? fmt::format("{} ({} campaigns)", sum.name, views.size())
                     : fmt::format("{} and {} more", sum.name, views.size() - 1);
  }
  if (!sum.running.empty()) sum.waiting_for.clear();
  return sum;
}

std::vector<std::string> progress_block(const CampaignView& view, const ProgressTimes& times,
                                        const Terminal& terminal) {
  const std::size_t width = terminal.width > 0 ? static_cast<std::size_t>(terminal.width) : 80;
  const auto line = [&](const std::string& text, Ink ink = Ink::kPlain) {
    return paint(shortened(text, width), ink, terminal.colour);
  };
  std::vector<std::string> lines;
  lines.push_back(
      line(fmt::format("{}: {}, {}", view.name, name_of(view.state), counts(view)), Ink::kBold));
  lines.push_back(bar(view, times, width, terminal.colour));
  lines.push_back(line(best(view)));
  if (!view.waiting_for.empty()) lines.push_back(line("waiting: " + view.waiting_for, Ink::kBad));
  const std::size_t shown = std::min(view.running.size(), kMaxRunningLines);
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(running_line(view.running[i], width));
  const auto more = static_cast<std::int64_t>(view.running.size() - shown) + view.more_running;
  if (more > 0) {
    lines.push_back(line(fmt::format("  and {} more run", more)));
  }
  return lines;
}

std::vector<std::string> PlainProgress::lines(const CampaignView& view,
                                              const ProgressTimes& times) {
  std::vector<std::string> lines;
  const bool new_state = state_ != view.state;
  if (new_state) lines.push_back(fmt::format("{}: {}", view.name, name_of(view.state)));
  if (view.waiting_for != waiting_for_) {
    waiting_for_ = view.waiting_for;
    waiting_since_ = times.elapsed;
    waiting_said_ = false;
  }
  if (!waiting_for_.empty() && !waiting_said_ && times.elapsed - waiting_since_ >= kWaitingAfter) {
    lines.push_back(fmt::format("{}: waiting: {}", view.name, waiting_for_));
    waiting_said_ = true;
  }
  const double since = times.elapsed - last_;
  const bool more = view.done != ended_ && (since >= kTrialLineEvery || new_state);
  if (more || (since >= kStatusLineEvery && view.trials > 0)) {
    lines.push_back(fmt::format("{}: {}, {:.0f} % of the iterations, {}, {}", view.name,
                                counts(view), std::floor(share_done(view) * 100), best(view),
                                times_text(view, times)));
    ended_ = view.done;
    last_ = times.elapsed;
  }
  state_ = view.state;
  return lines;
}

std::string redraw(std::size_t previous, const std::vector<std::string>& lines) {
  std::string bytes = previous > 0 ? fmt::format("\r\x1b[{}A", previous) : std::string();
  for (const std::string& line : lines) bytes += line + "\x1b[K\n";
  if (previous > lines.size()) bytes += "\x1b[J";
  return bytes;
}

}  // namespace lrtune

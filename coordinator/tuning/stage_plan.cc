#include "coordinator/tuning/stage_plan.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

namespace lrtune {
namespace {

constexpr std::int64_t kBlock = 1024;

std::uint64_t bits_at(const Policy& policy, std::int64_t t) {
  return std::bit_cast<std::uint64_t>(learning_rate(policy, t));
}

// Until where `a` and `b` have the same segments, so that nothing needs to be computed.
std::int64_t same_segments(const Policy& a, const Policy& b) {
  std::int64_t until = 0;
  const std::size_t both = std::min(a.segments.size(), b.segments.size());
  for (std::size_t i = 0; i < both; ++i) {
    const Segment& one = a.segments[i];
    const Segment& other = b.segments[i];
    if (one.function != other.function || one.from_t != other.from_t) return until;
    // Past the last segment's `until` its function goes on.
    const std::int64_t end = i + 1 == a.segments.size() ? kNoEnd : one.until;
    const std::int64_t other_end = i + 1 == b.segments.size() ? kNoEnd : other.until;
    until = std::min(end, other_end);
    if (end != other_end) return until;
  }
  return until;
}

// Runs that are equal up to `position`, of which they all are longer, and begin with `parent`.
struct Group {
  std::vector<std::size_t> runs;
  std::int64_t position = 0;
  std::optional<std::size_t> parent;
  std::int64_t parent_end = 0;
};

class Planner {
 public:
  Planner(std::span<const SharedRun> runs, std::int64_t least) : runs_(runs), least_(least) {
    plan_.from.resize(runs.size());
  }

  StagePlan plan() {
    Group all;
    for (std::size_t run = 0; run < runs_.size(); ++run) all.runs.push_back(run);
    split(all);
    while (!groups_.empty()) {
      Group group = std::move(groups_.back());
      groups_.pop_back();
      grow(std::move(group));
    }
    return std::move(plan_);
  }

 private:
  // Follows a group to where it parts.
  void grow(Group group) {
    const SharedRun& first = runs_[group.runs.front()];
    std::int64_t end = first.iterations;
    for (const std::size_t run : group.runs) {
      end = std::min(end, runs_[run].iterations);
      end = first_difference(*first.policy, *runs_[run].policy, group.position, end);
    }
    group.position = end;
    const auto others = static_cast<std::int64_t>(group.runs.size()) - 1;
    if (others * (end - group.parent_end) >= least_) make_stage(group);
    split(group);
  }

  void make_stage(Group& group) {
    const auto ends_here = [&](std::size_t run) { return runs_[run].iterations == group.position; };
    const auto ends = std::find_if(group.runs.begin(), group.runs.end(), ends_here);
    const std::size_t run = ends != group.runs.end() ? *ends : group.runs.front();
    plan_.stages.push_back({run, group.position, group.parent});
    group.parent = plan_.stages.size() - 1;
    group.parent_end = group.position;
    for (const std::size_t other : group.runs) {
      if (!ends_here(other)) plan_.from[other] = group.parent;
    }
  }

  // The longer ones part by their next rate; who is alone has nothing to share any more.
  void split(const Group& group) {
    std::map<std::uint64_t, std::vector<std::size_t>> by_rate;
    for (const std::size_t run : group.runs) {
      if (runs_[run].iterations > group.position)
        by_rate[bits_at(*runs_[run].policy, group.position)].push_back(run);
    }
    for (auto& [rate, runs] : by_rate) {
      if (runs.size() > 1)
        groups_.push_back({std::move(runs), group.position, group.parent, group.parent_end});
    }
  }

  std::span<const SharedRun> runs_;
  const std::int64_t least_;
  std::vector<Group> groups_;  // still to follow; none depends on another but through its parent
  StagePlan plan_;
};

}  // namespace

std::int64_t first_difference(const Policy& a, const Policy& b, std::int64_t from,
                              std::int64_t to) {
  std::int64_t t = std::max(from, std::min(to, same_segments(a, b)));
  std::vector<double> rates(kBlock);
  std::vector<double> others(kBlock);
  while (t < to) {
    const auto count = static_cast<std::size_t>(std::min(kBlock, to - t));
    const std::span<double> one(rates.data(), count);
    const std::span<double> other(others.data(), count);
    learning_rates(a, t, one);
    learning_rates(b, t, other);
    const auto differs =
        std::mismatch(one.begin(), one.end(), other.begin(), [](double x, double y) {
          return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
        });
    const auto equal = differs.first - one.begin();
    t += equal;
    if (static_cast<std::size_t>(equal) < count) return t;
  }
  return to;
}

StagePlan plan_stages(std::span<const SharedRun> runs, std::int64_t least) {
  return Planner(runs, least).plan();
}

}  // namespace lrtune

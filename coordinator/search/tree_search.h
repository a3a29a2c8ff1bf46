// Which function next: a search over the segments of a composite policy. Every path through the
// tree is trained to a boundary, the best go on from where they stand: with the function that they
// have, and with new ones. With one path that goes on it is the paper's dynamic tuning (section
// 5.4), a new choice every M iterations; with several, a beam search. Pure; no clock, no chance.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "coordinator/search/halving.h"

namespace lrtune {

struct TreePlan {
  // Iterations of training at the end of each level, ascending; at least one: the boundaries
  // between segments, and the run's length.
  std::vector<std::int64_t> rungs;
  std::int64_t tries = 1;  // new segments for each path that goes on, and for the first one
  std::int64_t keep = 1;   // paths of a level that go on
};

// kStart: train a new candidate, whose segments are those of `parent` and then try `number` of its
// level, to `rung`; from nothing at level 0, else from where the parent stands. kPromote: train the
// candidate on to `rung` with the function that it has.
struct TreeAction {
  HalvingAction action;
  std::optional<std::int64_t> parent;
  std::int64_t number = 0;  // of a start, from 0: which of the parent's tries
  bool operator==(const TreeAction&) const = default;
};

// A level is known as a whole before any path goes on, so the order in which results are observed
// changes no action but kWait. Candidates are numbered as they start. Where values are equal, the
// path that goes on with what it has is before new ones, and the lower number before the higher.
class TreeSearch {
 public:
  // Whether try `number` of that parent is what the parent does anyway, when it goes on as it is:
  // it is left out then, since it would take a place from another path.
  using Repeats = std::function<bool(std::int64_t parent, std::int64_t number)>;
  explicit TreeSearch(TreePlan plan, Repeats repeats = {});

  // Of a candidate that next() has sent to this rung.
  void observe(const RungResult& result);
  // Each start and promotion comes once. First the paths that go on as they are, the best first,
  // then the new ones of each.
  TreeAction next();

  // What a candidate that was promoted, or is a parent, has brought at the rung below.
  double value_of(std::int64_t candidate) const {
    return ranked_below_.at(place_of(candidate)).value;
  }
  // Of how many candidates of that rung.
  std::int64_t members_below() const { return members_below_; }

 private:
  struct Member {
    std::int64_t candidate = 0;
    std::optional<std::int64_t> parent;
    std::int64_t number = 0;
    bool starts = false;
  };
  void add_starts(std::optional<std::int64_t> parent);
  void climb();
  std::size_t place_of(std::int64_t candidate) const;

  TreePlan plan_;
  Repeats repeats_;
  std::size_t rung_ = 0;
  std::int64_t started_ = 0;
  std::vector<Member> members_;          // of the level, in the order in which they are given out
  std::size_t given_ = 0;                // how many of them
  std::size_t known_ = 0;                // of how many the result is known
  std::set<RungEntry> ranked_;           // those with a value
  std::vector<RungEntry> ranked_below_;  // that went on to this level, best first
  std::int64_t members_below_ = 0;
};

}  // namespace lrtune

// Successive halving over the length of training: many candidates are trained shortly, and the best
// of each rung go on to the next one, from where they stand. Both forms are pure decisions: results
// come in by observe(), and next() says what to do. No clock, no chance; one thread.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <vector>

namespace lrtune {

struct HalvingPlan {
  std::int64_t candidates = 0;      // numbered from 0; at least 1
  std::vector<std::int64_t> rungs;  // iterations of training at each rung, ascending; at least one
  std::int64_t eta = 3;             // at least 2: one of so many goes on
};

// min_iterations * eta^k, and max_iterations as the last: a rung nearer to it than a factor of the
// square root of eta is left out, since it would tell little. 1 <= min_iterations <=
// max_iterations, eta >= 2.
std::vector<std::int64_t> halving_rungs(std::int64_t min_iterations, std::int64_t max_iterations,
                                        std::int64_t eta);

// What training a candidate up to a rung has brought: at most one result for each (candidate,
// rung).
struct RungResult {
  std::int64_t candidate = 0;
  std::size_t rung = 0;
  std::optional<double>
      value;  // higher is better, finite; none: it diverged or failed, and does not go on
};

struct HalvingAction {
  enum class Kind : std::uint8_t {
    kStart,    // train `candidate` from its beginning to rung 0
    kPromote,  // train `candidate` on from the rung below to `rung`
    kWait,     // nothing until another result is known
    kDone,     // nothing any more
  };
  Kind kind = Kind::kDone;
  std::int64_t candidate = 0;
  std::size_t rung = 0;
  bool operator==(const HalvingAction&) const = default;
};

// A candidate's place in a rung: by value, and where two are equal, by number.
struct RungEntry {
  double value = 0;
  std::int64_t candidate = 0;
  // The better one is the smaller, so that ordered sets begin with the best.
  bool operator<(const RungEntry& other) const {
    return value != other.value ? value > other.value : candidate < other.candidate;
  }
};

// Successive halving (Jamieson & Talwalkar 2016, Algorithm 1): all candidates of a rung are known
// before any goes on; the best floor(n / eta) of n do, at least one as long as one has a value. The
// order in which results are observed changes no action but kWait: starts and promotions come in
// the same sequence.
class SynchronousHalving {
 public:
  explicit SynchronousHalving(HalvingPlan plan);

  // Of a candidate that next() has sent to this rung.
  void observe(const RungResult& result);
  // Each start and promotion comes once.
  HalvingAction next();

 private:
  void climb();

  HalvingPlan plan_;
  std::size_t rung_ = 0;
  std::vector<std::int64_t> members_;  // of the rung, in the order in which they are given out
  std::size_t given_ = 0;              // how many of them
  std::size_t known_ = 0;              // of how many the result is known
  std::set<RungEntry> ranked_;         // those with a value
};

// What was known when a decision was made: enough to see why, and to make it again from the log of
// observations.
struct HalvingKnowledge {
  std::int64_t observed = 0;  // results, of all rungs
  std::int64_t in_rung = 0;   // results in the rung from which the candidate goes on, or in rung 0
  std::int64_t places = 0;    // floor(in_rung / eta): how many of these may go on
  double value = 0;           // of a promoted candidate
  double cutoff = 0;          // worst value among the best `places`
  bool operator==(const HalvingKnowledge&) const = default;
};

struct HalvingDecision {
  HalvingAction action;
  HalvingKnowledge known;
  bool operator==(const HalvingDecision&) const = default;
};

// Asynchronous successive halving (Li et al. 2018, Algorithm 2): whoever is among the best floor(n
// / eta) of the n that a rung has seen so far goes on, from the highest rung down; if none is, the
// next candidate starts. When all have been trained and none has a place, the best of the highest
// rung that was reached goes on all the same, as in synchronous halving: else a search of few
// candidates would end without a whole run. Decisions depend on what was observed until then, in
// number and order; the same observations between the same calls give the same decisions.
class AsynchronousHalving {
 public:
  explicit AsynchronousHalving(HalvingPlan plan);

  void observe(const RungResult& result);
  // Each start and promotion comes once. O(rungs * log candidates).
  HalvingDecision next();

 private:
  struct Rung {
    std::int64_t results = 0;
    std::set<RungEntry> top;         // the best floor(results / eta), or all with a value
    std::set<RungEntry> rest;        // the others with a value
    std::set<RungEntry> unpromoted;  // of both
  };
  HalvingKnowledge knowledge(const Rung& rung) const;
  HalvingDecision promote(Rung& rung, std::size_t above);

  HalvingPlan plan_;
  std::vector<Rung> rungs_;
  std::int64_t started_ = 0;
  std::int64_t running_ = 0;
  std::int64_t observed_ = 0;
};

}  // namespace lrtune

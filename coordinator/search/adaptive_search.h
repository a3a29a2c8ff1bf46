// A search that decides by results: which candidate is trained next, and how far. One interface
// over halving, TPE and trees for whoever runs the trials; pure. What comes in and what is decided,
// in order, is a log from which every decision can be made again.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/config/run_plan.h"
#include "coordinator/search/halving.h"
#include "coordinator/search/tpe.h"
#include "coordinator/search/tree_search.h"

namespace lrtune {

enum class AdaptiveMethod : std::uint8_t {
  kHalving,  // SynchronousHalving
  kAsha,     // AsynchronousHalving
  kTpe,      // whole runs of what tpe_proposal() says
  kTree,     // TreeSearch
};

struct AdaptivePlan {
  AdaptiveMethod method = AdaptiveMethod::kHalving;
  // Candidates that are started, and where they end; TPE has one rung. Of a tree the rungs alone.
  HalvingPlan halving;
  // Draws the candidates of halving, or the segments of a tree: kRandom or kSobol, or, of a tree,
  // kGrid.
  SearchMethod inner = SearchMethod::kRandom;
  TpeOptions tpe;
  std::int64_t tries = 1;  // TreePlan's
  std::int64_t keep = 1;
};

// What `experiment`, whose method decides by results, asks for, with runs of that plan. Errors: a
// rung or boundary in epochs does not fit into the run; those have a path.
Result<AdaptivePlan> adaptive_plan(const Experiment& experiment, const RunPlan& plan,
                                   const TrainSpec& train, const DataFacts& data);

// The most that a search may come to. The true numbers are lower where runs diverge; of
// asynchronous halving the iterations are about these.
struct SearchExtent {
  std::int64_t candidates = 0;
  std::int64_t iterations = 0;  // of training, a promotion's own alone
};
SearchExtent most_of(const AdaptivePlan& plan);

struct SearchDecision {
  HalvingAction action;
  // What was known, in numbers for people and for comparison; a start has the candidate's policy
  // too, as text.
  nlohmann::json known = nlohmann::json::object();
  bool operator==(const SearchDecision&) const = default;
};

class AdaptiveSearch {
 public:
  // `experiment`: its policies, seed and `train`, which has no domains.
  AdaptiveSearch(Experiment experiment, AdaptivePlan plan);
  ~AdaptiveSearch();
  AdaptiveSearch(AdaptiveSearch&&) noexcept;
  AdaptiveSearch& operator=(AdaptiveSearch&&) noexcept;

  const AdaptivePlan& plan() const { return plan_; }
  // Of a start or promotion that next() gave; at most once for each.
  void observe(const RungResult& result);
  // Each start and promotion comes once; kWait and kDone change nothing.
  SearchDecision next();
  // Of a candidate that was started; lengths may still be in epochs.
  nlohmann::json policy_of(std::int64_t candidate) const;

 private:
  class Method;
  class Halving;
  class Asha;
  class Tpe;
  class Tree;

  AdaptivePlan plan_;
  std::unique_ptr<Method> method_;
};

// An entry of the log: a result as it came in, or a start or promotion as it was decided.
struct SearchLogEntry {
  std::optional<RungResult> result;
  SearchDecision decision;  // if there is no result
};

struct ReplayDifference {
  std::size_t entry = 0;  // the first that differs
  SearchDecision recorded;
  SearchDecision replayed;
};

// Makes every decision again from what the log says was known by then; none: all are identical.
// `search`: new, of the campaign's experiment and plan; it ends where the log ends, so that a
// restart goes on from there. A result of what was not decided before is a difference too, with an
// empty decision replayed.
std::optional<ReplayDifference> replay(AdaptiveSearch& search, std::span<const SearchLogEntry> log);

}  // namespace lrtune

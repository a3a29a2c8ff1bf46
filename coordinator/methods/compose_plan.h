// `lrtune compose` as campaigns: a search for a composite policy, and its comparison with single
// functions (Wu & Liu, section 5). Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/experiment.h"
#include "common/hash.h"
#include "common/result.h"
#include "coordinator/report/results.h"
#include "coordinator/tuning/range_test.h"

namespace lrtune {

enum class ComposeMethod : std::uint8_t {
  kTree,     // a tree over segments: which function next, from which boundary, with which range
  kDynamic,  // the same with one path and a choice every M iterations (section 5.4)
  kPlateau,  // Change-LR-On-Plateau (Algorithm 1), whose realised schedule is the composite
};
std::string_view name_of(ComposeMethod method);  // "tree", "dynamic", "plateau"

struct ComposeSettings {
  ComposeMethod method = ComposeMethod::kTree;
  std::vector<std::string> functions;    // one: homogeneous; empty: those of default_functions()
  std::optional<double> low, high;       // of the rates; both or none: a range test says them
  int segments = 3;                      // tree: of equal length, 2 or more
  std::vector<std::int64_t> boundaries;  // tree: instead of equal ones, ascending
  std::int64_t every = 0;                // dynamic: M, iterations; 0: a tenth of the run
  // tree, dynamic: new segments at each boundary, for each path; plateau: functions of a list.
  int tries = 8;
  int keep = 2;  // tree: paths that go on from each boundary
  // plateau: what a policy's `metric`, `window`, `threshold` and `cooldown` are, where they are
  // given.
  nlohmann::json plateau = nlohmann::json::object();
  int singles = 3;  // single functions, drawn within the same range, that it must beat
  int repeats = 3;  // new seeds for each of the best that are compared
};

// Where rates are worth searching for a run of `iterations`, and what follows from it.
struct ComposeRange {
  ParameterEstimate rates;
  std::int64_t iterations = 0;
  std::string source;               // "range test mine-range-test (campaign 2)"
  std::optional<Digest> tested_in;  // the range test; none: the rates were given
};

// fix, poly, tri, sin2; for a controller fix alone, as the paper's NSTEP-new.
std::vector<std::string> default_functions(ComposeMethod method);

// Iterations of the experiment's run, as far as its file and the sizes of known data sets tell.
std::optional<std::int64_t> planned_iterations(const Experiment& experiment);

// What is wrong with the settings for `experiment`, whatever the range will be, so that it is told
// before anything is trained: errors name an option, or a key of the experiment.
Result<void> check_settings(const Experiment& experiment, const ComposeSettings& settings);

// By what paths and policies are ranked: loss if the experiment ranks by that, else top-1.
RankBy composed_by(const Experiment& experiment);

// The search: NAME-compose, with the run's length in iterations. Errors: by its option, or by a
// key.
//   tree, dynamic: each function at three heights, within the range and within a tenth and a
//     hundredth of it, as the last segments of the paper's composites are.
//   plateau: a controller for each function, whose list falls evenly in the logarithm from the
//     range's upper bound to a hundredth of its lower one, beginning near the middle of the range.
Result<Experiment> composing_experiment(const Experiment& experiment,
                                        const ComposeSettings& settings, const ComposeRange& range);

// What the search made of it: the best of its whole runs, as an ordinary policy. Nothing if none
// ended well.
std::optional<Policy> composite_of(const CampaignResults& search);

// What the composite is compared with: the functions that the search's best whole runs began with,
// each alone, `settings.singles` single functions drawn within the range, and `against`. Each once,
// and not the composite, whatever they are called.
std::vector<nlohmann::json> rivals_of(const CampaignResults& search,
                                      const ComposeSettings& settings, const ComposeRange& range,
                                      std::uint64_t seed, std::span<const nlohmann::json> against);

// "NAME-compose-tree-1f2e3d4c": of the folder for what the command writes; other settings have
// another one.
std::string output_name(const Experiment& experiment, const ComposeSettings& settings,
                        std::span<const nlohmann::json> against);

// The comparison: NAME-composed. The first policy is the composite; it and the best of the others
// are repeated. Its run is the search's, and what a rival begins with is known where a path began
// so.
Result<Experiment> composed_experiment(const Experiment& experiment,
                                       const ComposeSettings& settings, std::int64_t iterations,
                                       const Policy& composite,
                                       std::span<const nlohmann::json> rivals);

}  // namespace lrtune

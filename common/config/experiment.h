// An experiment: the typed form of an experiment file (docs/EXPERIMENTS.md). Its policies and its
// `train` may hold domains; coordinator/search draws them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/training.h"

namespace lrtune {

// The values that a scalar may take.
struct Domain {
  enum class Kind : std::uint8_t {
    kChoice,   // a list (grid), or {choice: [...]}: `choices`
    kUniform,  // {uniform: [a, b]}
    kLog,      // {log: [a, b]}: uniform in the logarithm; a above 0
    kInt,      // {int: [a, b]}: whole numbers, both ends included
  };
  Kind kind = Kind::kChoice;
  std::vector<nlohmann::json> choices;
  double low = 0;
  double high = 0;
};

// A JSON tree with domains at some places. Draws replace them; `tree` has null there.
struct Template {
  nlohmann::json tree;
  struct Hole {
    nlohmann::json::json_pointer place;
    Domain domain;
  };
  // In the order of the normal form (keys sorted), so that the order of keys in a file changes no
  // candidate: a grid counts the last one fastest.
  std::vector<Hole> holes;
};

// A length in iterations or epochs, exactly one of them.
struct RunLength {
  std::int64_t iterations = 0;
  double epochs = 0;
  bool operator==(const RunLength&) const = default;
};

enum class SearchMethod : std::uint8_t {
  kList,
  kGrid,
  kRandom,
  kSobol,
  kHalving,
  kAsha,
  kTpe,
  kTree
};
// kCost: iterations to the target; kSeconds: seconds to the target, as the worker measured them.
enum class RankBy : std::uint8_t { kTop1, kLoss, kCost, kRobustness, kSeconds };
enum class RankAt : std::uint8_t { kBest, kFinal };

// When a running trial of the search is not worth going on with; coordinator/search/stop_rules.h.
struct StopRules {
  // Its best value so far is below the median of the others' averages so far.
  bool median = false;
  RunLength median_after;              // not before so many iterations; both 0: from the first on
  std::int64_t median_others = 5;      // nor with fewer others that have ended
  bool cannot_win = false;             // enough others met the target with fewer iterations
  std::int64_t cannot_win_places = 1;  // how many
  bool any() const { return median || cannot_win; }
};

struct Experiment {
  std::string name;
  Template train;
  RunLength length;
  RunLength evaluate_every;
  Part evaluate_on = Part::kValidation;
  std::int64_t train_subset = 0;
  std::optional<Target> target;
  bool stop_at_target = false;
  std::optional<double> max_seconds;
  RunLength m_opt_every;  // both 0: M-opt is not measured
  std::uint64_t seed = 0;
  SearchMethod method = SearchMethod::kList;
  std::int64_t count = 0;  // random to tpe: number of candidates
  RunLength first_rung;    // halving, asha: length of the first runs
  std::int64_t eta = 3;    // halving, asha: one of so many goes on to the next rung
  // halving, asha: kRandom or kSobol; tree: also kGrid.
  SearchMethod drawn_by = SearchMethod::kRandom;
  // tree: where segments may begin, ascending, below `length` and in its unit.
  std::vector<RunLength> boundaries;
  RunLength boundary_every;       // while it is read: {every: M} that is no list yet; else both 0
  std::int64_t tries = 0;         // tree, but not with kGrid: new segments tried at each of them
  std::int64_t keep = 1;          // tree: paths that go on from each of them
  std::int64_t tpe_startup = 10;  // tpe: candidates drawn before it reasons
  double tpe_good = 0.15;         // tpe: share of the results that count as good
  int tpe_draws = 24;             // tpe: of which the best is proposed
  StopRules stop;
  std::vector<Template> policies;
  int verify_top = 0;      // 0: no verification
  int verify_repeats = 0;  // new seeds for each; the most, if verify_settled is given
  // Chance of a wrong order: two repeats at first, then only while the order is not settled.
  std::optional<double> verify_settled;
  int tolerance_top = 0;                 // 0: tolerance is not measured
  std::vector<double> tolerance_scales;  // of the base rate, ascending
  RankBy rank_by = RankBy::kTop1;
  RankAt rank_at = RankAt::kBest;

  // The file in normal form: defaults filled in, keys sorted, comments gone. Two files with the
  // same normal form are the same experiment.
  nlohmann::json normalised;
  Digest hash;  // SHA-256 of normalised.dump()
};

constexpr std::size_t kMostNameLetters = 100;

// For an experiment that a command makes of the one of that name: `suffix` behind its name, or
// behind the beginning of it that leaves room.
std::string derived_name(std::string_view name, std::string_view suffix);

// From YAML text; `file` names it in errors, which read "FILE:LINE: MESSAGE (KEY)". Every value
// that a domain can take is checked here, so that no trial meets a bad one: lists one by one,
// intervals by their ends.
Result<Experiment> experiment_from_yaml(const std::string& text, const std::string& file);

// The same with `device` in place of its `train.device`: another experiment, with another hash.
// Errors: there is no such device.
Result<Experiment> on_device(const Experiment& experiment, const std::string& device);

// From the normal form (as the store keeps it).
Result<Experiment> experiment_from_json(const nlohmann::json& json);

std::string_view name_of(SearchMethod method);
// Whether its candidates are `count` draws out of the domains.
bool draws(SearchMethod method);
// Whether results decide which candidates there are, or how long they are trained.
bool decides_by_results(SearchMethod method);
// Whether its runs have several lengths: those of rungs.
bool has_rungs(SearchMethod method);
std::string_view name_of(RankBy by);
std::string_view name_of(RankAt at);
Result<RankBy> rank_by_from_name(std::string_view name);

}  // namespace lrtune

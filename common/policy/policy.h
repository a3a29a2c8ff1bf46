// Learning-rate policies as values. Formulas: docs/POLICIES.md; Wu & Liu, tables 1 and 2; LRBench.
// Pure: no clock, no I/O. Any thread may call everything here.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lrtune {

enum class LrFunctionKind : std::uint8_t {
  kFix,
  kStep,
  kNstep,
  kExp,
  kInv,
  kPoly,
  kSig,
  kTri,
  kTri2,
  kTriexp,
  kDtri,
  kDtri2,
  kDtriexp,
  kSin,
  kSin2,
  kSinexp,
  kDsin,
  kDsin2,
  kDsinexp,
  kCos,
  kCos2,
  kCosexp,
  kUpcos,
  kUpcos2,
  kUpcosexp,
  kRsw,
  kRsw2,
  kRswexp,
  kSinrsw,
  kSinrsw2,
  kSinrswexp,
  kCosrsw,
  kCosrsw2,
  kCosrswexp,
};

// fixed, decaying or cyclic (a policy of several segments is composite).
enum class LrFamily : std::uint8_t { kFixed, kDecaying, kCyclic };

std::string_view name_of(LrFunctionKind kind);  // "fix", "sin2" ...
LrFamily family_of(LrFunctionKind kind);
std::span<const LrFunctionKind> all_lr_functions();

// One LR function with its parameters. Only those that `kind` uses have a meaning; the others keep
// their defaults, so that == compares functions.
struct LrFunction {
  LrFunctionKind kind = LrFunctionKind::kFix;
  double k0 = 0;       // the rate, the start of a decay, or one end of a cycle
  double k1 = 0;       // the other end of a cycle; poly: the end value
  double gamma = 1;    // factor of step, nstep, exp and *exp; slope of inv and sig
  double p = 1;        // exponent of inv and poly
  std::int64_t l = 0;  // iterations: step length, half cycle, poly's length, sig's midpoint
  std::vector<std::int64_t> boundaries;  // nstep: its `l`, strictly ascending iterations
  bool operator==(const LrFunction&) const = default;
};

// The learning rate of `function` at its own `t` >= 0.
double evaluate(const LrFunction& function, std::int64_t t);

inline constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();

// An LR function that is valid until iteration `until` of the run (exclusive); its t is
// iteration - start of the segment + from_t.
struct Segment {
  LrFunction function;
  std::int64_t until = kNoEnd;  // kNoEnd only in the last segment
  std::int64_t from_t = 0;
  bool operator==(const Segment&) const = default;
};

// What a plateau controller looks at.
enum class PlateauMetric : std::uint8_t {
  kTrainLoss,  // of the train subset
  kLoss,       // of the evaluated part
  kTop1,       // of the evaluated part
};

// Change-LR-On-Plateau (Wu & Liu, Algorithm 1): a controller over LR functions. plateau.h has its
// steps. Each function is evaluated at the iteration of the run, wherever the controller turns to
// it.
struct Plateau {
  std::vector<LrFunction> functions;  // the highest rates first
  std::size_t start = 0;              // index of the first function
  std::int64_t every = 0;             // iterations between observations
  PlateauMetric metric = PlateauMetric::kTrainLoss;
  std::int64_t window = 5;    // values that are compared, at least 2
  double threshold = 0.05;    // a plateau: no improvement in the window reaches it
  std::int64_t cooldown = 5;  // observations between changes
  std::int64_t length = 0;    // T, iterations: from 0.8 T on the rate goes down instead of up
  bool operator==(const Plateau&) const = default;
};

std::string_view name_of(PlateauMetric metric);  // "train_loss", "loss", "top1"

// One segment or more, `until` strictly ascending. Past the last segment's `until` the last
// function goes on. A reactive policy has no segments but a controller: which rates it applies
// shows while it trains (run_rates.h).
struct Policy {
  std::vector<Segment> segments;
  std::optional<Plateau> plateau = {};
  bool reactive() const { return plateau.has_value(); }
  bool operator==(const Policy&) const = default;
};

// The learning rate of `policy` at iteration `t` >= 0 of a run. REQUIRES: `policy` has a segment.
double learning_rate(const Policy& policy, std::int64_t t);

// Fills rates[i] = learning_rate(policy, first + i). Faster than single calls: no search for the
// segment.
void learning_rates(const Policy& policy, std::int64_t first, std::span<double> rates);

// `policy` with every rate times `factor`, above 0: k0 and k1 are, which all functions are
// proportional to. A controller's settings stay as they are.
Policy scaled(Policy policy, double factor);

// A short text for tables, e.g. "SIN2 k0=0.01 k1=0.06 l=2000" or "composite: TRI ... until 5000;
// FIX ...". Numbers are rounded to six digits: for eyes, not for reading back.
std::string describe(const Policy& policy);

// The same after the name that an experiment gives it: "cycles then low: TRI k0=... until 350; FIX
// k0=0.001". An empty name adds nothing. Names need not be unique; their control
// characters become spaces, so that the text is one line.
std::string named(std::string_view name, const std::string& description);

}  // namespace lrtune

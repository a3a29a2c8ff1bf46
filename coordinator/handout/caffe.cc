// Lines of a Caffe solver. Caffe's formulas: src/caffe/solvers/sgd_solver.cpp, GetLearningRate.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "coordinator/handout/formats.h"

namespace lrtune::handout {
namespace {

constexpr std::int64_t kMostIterations = std::numeric_limits<std::int32_t>::max();

struct Solver {
  const LrFunction& f;
  std::string lines;

  void put(const char* key, const std::string& value) {
    lines += fmt::format("{}: {}\n", key, value);
  }
  void begin(const char* policy) {
    put("lr_policy", fmt::format("\"{}\"", policy));
    put("base_lr", fmt::format("{}", f.k0));
  }
};

Result<void> check(const Policy& policy) {
  if (policy.segments.size() > 1) {
    return fail(fmt::format(
        "a Caffe solver has one LR function for the whole run, and the policy has {} segments; "
        "export each as a solver of its own, or use --format pytorch, keras or optax",
        policy.segments.size()));
  }
  const Segment& only = policy.segments.front();
  const LrFunction& f = only.function;
  if (only.from_t != 0 && f.kind != LrFunctionKind::kFix)
    return fail("a Caffe solver's t starts at 0, and the policy has from_t " +
                fmt::to_string(only.from_t));
  if (family_of(f.kind) == LrFamily::kCyclic) {
    return fail(fmt::format(
        "Caffe has no LR function like {}; it has fixed, step, multistep, exp, inv, poly, sigmoid",
        name_of(f.kind)));
  }
  if (f.l > kMostIterations || (!f.boundaries.empty() && f.boundaries.back() > kMostIterations))
    return fail("Caffe counts iterations in 32 bits, and the policy has a longer l");
  return {};
}

// Caffe's poly ends at max_iter with 0.
Result<void> check_poly(const LrFunction& f, std::optional<std::int64_t> iterations) {
  if (f.k1 != 0)
    return fail(fmt::format("Caffe's poly ends at 0, and the policy's at k1 {}", f.k1));
  if (iterations && *iterations != f.l) {
    return fail(fmt::format(
        "Caffe's poly ends with the run, at max_iter; the policy's l is {} and the run has {} "
        "iterations",
        f.l, *iterations));
  }
  return {};
}

void write(Solver& solver) {
  const LrFunction& f = solver.f;
  switch (f.kind) {
    case LrFunctionKind::kStep:
      solver.begin("step");
      solver.put("gamma", fmt::format("{}", f.gamma));
      return solver.put("stepsize", fmt::format("{}", f.l));
    case LrFunctionKind::kNstep:
      solver.begin("multistep");
      solver.put("gamma", fmt::format("{}", f.gamma));
      for (const std::int64_t at : f.boundaries) solver.put("stepvalue", fmt::format("{}", at));
      return;
    case LrFunctionKind::kExp:
      solver.begin("exp");
      return solver.put("gamma", fmt::format("{}", f.gamma));
    case LrFunctionKind::kInv:
      solver.begin("inv");
      solver.put("gamma", fmt::format("{}", f.gamma));
      return solver.put("power", fmt::format("{}", f.p));
    case LrFunctionKind::kPoly:
      solver.begin("poly");
      return solver.put("power", fmt::format("{}", f.p));
    case LrFunctionKind::kSig:
      // base_lr / (1 + exp(-gamma * (iter - stepsize)))
      solver.begin("sigmoid");
      solver.put("gamma", fmt::format("{}", f.gamma));
      return solver.put("stepsize", fmt::format("{}", f.l));
    default:
      return solver.begin("fixed");
  }
}

// Caffe's parameters are single precision. That changes a rate by 6e-8 of itself at most, but in a
// power of gamma the error counts t times.
std::string precision_note(const LrFunction& f, std::optional<std::int64_t> iterations) {
  if (f.kind != LrFunctionKind::kExp || !iterations) return {};
  const double kept = static_cast<double>(static_cast<float>(f.gamma));
  const double off =
      std::abs(std::expm1(static_cast<double>(*iterations) * std::log(kept / f.gamma)));
  if (off < 1e-6) return {};
  return fmt::format(
      "# Caffe keeps gamma in single precision: at the end of the run its rate is off by {:.1g} of "
      "itself.\n",
      off);
}

}  // namespace

Result<std::string> caffe_text(const Policy& policy, std::optional<std::int64_t> iterations) {
  if (const auto fits = check(policy); !fits) return tl::unexpected(fits.error());
  const LrFunction& f = policy.segments.front().function;
  if (iterations && *iterations > kMostIterations)
    return fail("Caffe counts iterations in 32 bits, and the run is longer");
  if (f.kind == LrFunctionKind::kPoly) {
    if (const auto fits = check_poly(f, iterations); !fits) return tl::unexpected(fits.error());
    iterations = f.l;
  }
  Solver solver{f, fmt::format("# {}\n{}", describe(policy), precision_note(f, iterations))};
  write(solver);
  if (iterations) solver.put("max_iter", fmt::format("{}", *iterations));
  return solver.lines;
}

}  // namespace lrtune::handout

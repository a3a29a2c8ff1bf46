#include "common/policy/policy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/policy/lr_evaluator.h"
#include "common/policy/parameters.h"

namespace lrtune {
namespace {

constexpr auto kNames = std::to_array<std::string_view>(
    {"fix",     "step",   "nstep",   "exp",       "inv",    "poly",    "sig",      "tri",  "tri2",
     "triexp",  "dtri",   "dtri2",   "dtriexp",   "sin",    "sin2",    "sinexp",   "dsin", "dsin2",
     "dsinexp", "cos",    "cos2",    "cosexp",    "upcos",  "upcos2",  "upcosexp", "rsw",  "rsw2",
     "rswexp",  "sinrsw", "sinrsw2", "sinrswexp", "cosrsw", "cosrsw2", "cosrswexp"});

constexpr std::string_view kComposite = "composite: ";

constexpr std::size_t kKinds = static_cast<std::size_t>(LrFunctionKind::kCosrswexp) + 1;
static_assert(kNames.size() == kKinds);

// t of the segment's function; stays at the largest value instead of overflowing.
std::int64_t function_time(const Segment& segment, std::int64_t start, std::int64_t t) {
  const std::int64_t since = t - start;
  return since > kNoEnd - segment.from_t ? kNoEnd : since + segment.from_t;
}

struct Place {
  std::size_t segment;
  std::int64_t start;  // its first iteration
};

Place place_of(const Policy& policy, std::int64_t t) {
  const auto after =
      std::upper_bound(policy.segments.begin(), policy.segments.end() - 1, t,
                       [](std::int64_t at, const Segment& s) { return at < s.until; });
  const auto index = static_cast<std::size_t>(after - policy.segments.begin());
  return {index, index == 0 ? 0 : policy.segments[index - 1].until};
}

std::string describe(const LrFunction& function) {
  std::string text(name_of(function.kind));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const ParameterSet takes = parameters_of(function.kind);
  auto out = std::back_inserter(text);
  fmt::format_to(out, " k0={:.6g}", function.k0);
  if (takes.k1) fmt::format_to(out, " k1={:.6g}", function.k1);
  if (takes.gamma) fmt::format_to(out, " gamma={:.6g}", function.gamma);
  if (takes.p) fmt::format_to(out, " p={:.6g}", function.p);
  if (takes.l) fmt::format_to(out, " l={}", function.l);
  if (takes.boundaries) fmt::format_to(out, " l=[{}]", fmt::join(function.boundaries, ","));
  return text;
}

std::string describe(const Segment& segment) {
  std::string text = describe(segment.function);
  if (segment.from_t != 0) text += fmt::format(" from_t={}", segment.from_t);
  if (segment.until != kNoEnd) text += fmt::format(" until {}", segment.until);
  return text;
}

// The list's two ends stand for all of it.
std::string describe(const Plateau& plateau) {
  const auto& functions = plateau.functions;
  std::string list = describe(functions.front());
  if (functions.size() > 1) {
    list += fmt::format("{} {}", functions.size() > 2 ? " ..." : ",", describe(functions.back()));
  }
  return fmt::format("PLATEAU of {} over {} [{}] start={} every={}", name_of(plateau.metric),
                     functions.size(), list, plateau.start, plateau.every);
}

}  // namespace

std::string_view name_of(LrFunctionKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

LrFamily family_of(LrFunctionKind kind) {
  if (kind == LrFunctionKind::kFix) return LrFamily::kFixed;
  return kind < LrFunctionKind::kTri ? LrFamily::kDecaying : LrFamily::kCyclic;
}

std::span<const LrFunctionKind> all_lr_functions() {
  static constexpr auto kAll = [] {
    std::array<LrFunctionKind, kKinds> all{};
    for (std::size_t i = 0; i < kKinds; ++i) all[i] = static_cast<LrFunctionKind>(i);
    return all;
  }();
  return kAll;
}

double evaluate(const LrFunction& function, std::int64_t t) { return LrEvaluator(function).at(t); }

double learning_rate(const Policy& policy, std::int64_t t) {
  const Place place = place_of(policy, t);
  const Segment& segment = policy.segments[place.segment];
  return evaluate(segment.function, function_time(segment, place.start, t));
}

void learning_rates(const Policy& policy, std::int64_t first, std::span<double> rates) {
  while (!rates.empty()) {
    const Place place = place_of(policy, first);
    const Segment& segment = policy.segments[place.segment];
    std::size_t count = rates.size();
    if (place.segment + 1 < policy.segments.size()) {
      count = std::min(count, static_cast<std::size_t>(segment.until - first));
    }
    const std::int64_t t = function_time(segment, place.start, first);
    LrEvaluator(segment.function).fill(t, rates.first(count));
    rates = rates.subspan(count);
    first += static_cast<std::int64_t>(count);
  }
}

std::string_view name_of(PlateauMetric metric) {
  static constexpr auto kMetrics = std::to_array<std::string_view>({"train_loss", "loss", "top1"});
  return kMetrics[static_cast<std::size_t>(metric)];
}

Policy scaled(Policy policy, double factor) {
  if (policy.plateau) {
    for (LrFunction& function : policy.plateau->functions) {
      function.k0 *= factor;
      function.k1 *= factor;
    }
  }
  for (Segment& segment : policy.segments) {
    segment.function.k0 *= factor;
    segment.function.k1 *= factor;
  }
  return policy;
}

std::string describe(const Policy& policy) {
  if (policy.plateau) return describe(*policy.plateau);
  if (policy.segments.size() == 1) return describe(policy.segments.front());
  std::string text(kComposite);
  for (std::size_t i = 0; i < policy.segments.size(); ++i) {
    if (i != 0) text += "; ";
    text += describe(policy.segments[i]);
  }
  return text;
}

std::string named(std::string_view name, const std::string& description) {
  if (name.empty()) return description;
  std::string text(name);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  const bool composite = description.starts_with(kComposite);
  return text + ": " + description.substr(composite ? kComposite.size() : 0);
}

}  // namespace lrtune

// Plain Python on one integer t, with the standard library alone, and a LambdaLR.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/policy/cyclic_shape.h"
#include "coordinator/handout/formats.h"

namespace lrtune::handout {
namespace {

// Python's ** raises where a double ends.
constexpr const char* kPowerText = R"(def _power(base, exponent):
    try:
        return base**exponent
    except OverflowError:
        return sys.float_info.max


)";

constexpr const char* kSchedulerText = R"(

def scheduler(optimizer, factors=None, last_epoch=-1):
    """The policy as a LambdaLR: call its step() once after each optimizer.step().

    The policy is the whole rate, so the lr that the optimizer was made with is not used. `factors`: what the rate of
    each parameter group is multiplied by; 1 for all unless given.
    """
    import torch

    groups = optimizer.param_groups
    factors = [1.0] * len(groups) if factors is None else list(factors)
    if len(factors) != len(groups):
        raise ValueError(f"{len(factors)} factors for {len(groups)} parameter groups")
    for group, factor in zip(groups, factors):
        if torch.is_tensor(group["lr"]):
            group["lr"].fill_(factor)
        else:
            group["lr"] = factor
        group["initial_lr"] = factor
    return torch.optim.lr_scheduler.LambdaLR(optimizer, learning_rate, last_epoch)
)";

std::string gamma_power(const LrFunction& f, const std::string& exponent) {
  if (grows(f)) return fmt::format("_power({}, {})", number(f.gamma), exponent);
  return fmt::format("{} ** {}", number(f.gamma), exponent);
}

// k0 times a power of gamma, at most the largest double.
Lines power_lines(const LrFunction& f, const std::string& exponent) {
  const std::string rate = fmt::format("{} * {}", number(f.k0), gamma_power(f, exponent));
  return {"return " + (grows(f) ? fmt::format("min({}, sys.float_info.max)", rate) : rate)};
}

Lines inv_lines(const LrFunction& f) {
  std::string base = fmt::format("1 + {} * t", number(f.gamma));
  base = f.gamma > 1 ? fmt::format("min({}, sys.float_info.max)", base) : "(" + base + ")";
  return {fmt::format("return {} * {} ** -{}", number(f.k0), base, number(f.p))};
}

Lines poly_lines(const LrFunction& f) {
  Lines lines{fmt::format("if t >= {}:", f.l), "    return " + number(f.k1),
              fmt::format("share = (({} - t) / {}) ** {}", f.l, f.l, number(f.p))};
  lines.push_back(
      f.k1 == 0 ? fmt::format("return {} * share", number(f.k0))
                : fmt::format("return {} * share + {} * (1 - share)", number(f.k0), number(f.k1)));
  return lines;
}

// math.exp raises where a double ends: it gets no number above 0.
Lines sig_lines(const LrFunction& f) {
  return {fmt::format("x = {} * (t - {})", number(f.gamma), f.l),
          "if x >= 0:", fmt::format("    return {} / (1 + math.exp(-x))", number(f.k0)),
          fmt::format("return {} * (math.exp(x) / (1 + math.exp(x)))", number(f.k0))};
}

std::string enveloped_wave(const LrFunction& f, const CyclicShape& shape) {
  using enum CyclicShape::Envelope;
  if (shape.envelope == kNone) return "wave";
  if (shape.envelope == kExponential) return "(wave * " + gamma_power(f, "t") + ")";
  if (shape.sawtooth) return fmt::format("(wave * 0.5 ** (t // {}))", f.l);
  if (shape.shifted) return fmt::format("(wave * 0.5 ** ((t + {}) // {}))", f.l, 2 * f.l);
  return fmt::format("(wave * 0.5 ** (t // {}))", 2 * f.l);
}

Lines cyclic_lines(const LrFunction& f) {
  const CyclicShape shape = cyclic_shape(f.kind);
  Lines lines;
  if (shape.sawtooth) {
    lines.push_back(fmt::format("part = -t % {}", f.l));
  } else {
    lines.push_back(fmt::format("part = t % {}", 2 * f.l));
    lines.push_back(fmt::format("part = {}min(part, {} - part)",
                                shape.shifted ? fmt::format("{} - ", f.l) : "", 2 * f.l));
  }
  lines.push_back(shape.wave == CyclicShape::Wave::kLinear
                      ? fmt::format("wave = part / {}", f.l)
                      : fmt::format("wave = math.sin(math.pi / 2 * (part / {}))", f.l));
  if (shape.wave == CyclicShape::Wave::kSineSquared) lines.back() += " ** 2";
  const double low = std::min(f.k0, f.k1);
  const double high = std::max(f.k0, f.k1);
  const std::string rate = fmt::format("{} + ({} - {}) * {}", number(low), number(high),
                                       number(low), enveloped_wave(f, shape));
  lines.push_back("return " + (grows(f) ? fmt::format("min({}, sys.float_info.max)", rate) : rate));
  return lines;
}

Lines function_lines(const LrFunction& f) {
  switch (f.kind) {
    case LrFunctionKind::kFix:
      return {"return " + number(f.k0)};
    case LrFunctionKind::kStep:
      return power_lines(f, fmt::format("(t // {})", f.l));
    case LrFunctionKind::kNstep: {
      Lines lines{
          fmt::format("passed = bisect.bisect_right([{}], t)", fmt::join(f.boundaries, ", "))};
      lines.push_back(power_lines(f, "passed").front());
      return lines;
    }
    case LrFunctionKind::kExp:
      return power_lines(f, "t");
    case LrFunctionKind::kInv:
      return inv_lines(f);
    case LrFunctionKind::kPoly:
      return poly_lines(f);
    case LrFunctionKind::kSig:
      return sig_lines(f);
    default:
      return cyclic_lines(f);
  }
}

std::string functions_text(const Policy& policy) {
  constexpr const char* kMeaning = "\"\"\"The rate of iteration t = 0, 1, 2 ... of a run.\"\"\"";
  if (policy.segments.size() == 1 && policy.segments.front().from_t == 0) {
    return fmt::format("def learning_rate(t):\n    {}\n{}", kMeaning,
                       indented(function_lines(policy.segments.front().function)));
  }
  std::string text;
  Lines dispatch{kMeaning};
  for (std::size_t i = 0; i < policy.segments.size(); ++i) {
    text += fmt::format("def _segment_{}(t):\n{}\n\n", i + 1,
                        indented(function_lines(policy.segments[i].function)));
    const std::string call = fmt::format("return _segment_{}({})", i + 1, segment_time(policy, i));
    if (i + 1 == policy.segments.size()) {
      dispatch.push_back(call);
    } else {
      dispatch.push_back(fmt::format("if t < {}:", policy.segments[i].until));
      dispatch.push_back("    " + call);
    }
  }
  return text + "def learning_rate(t):\n" + indented(dispatch);
}

}  // namespace

std::string pytorch_text(const Policy& policy) {
  const std::string functions = functions_text(policy);
  std::string text =
      docstring(policy,
                "learning_rate(t) needs the standard library alone; scheduler() is a "
                "LambdaLR of PyTorch over it.");
  std::string imports;
  for (const char* module : {"bisect", "math", "sys"}) {
    if (functions.find(fmt::format("{}.", module)) != std::string::npos)
      imports += fmt::format("import {}\n", module);
  }
  const bool powers = functions.find("_power(") != std::string::npos;
  if (powers && imports.find("sys") == std::string::npos) imports += "import sys\n";
  if (!imports.empty()) text += imports + "\n\n";
  if (powers) text += kPowerText;
  return text + functions + kSchedulerText;
}

}  // namespace lrtune::handout

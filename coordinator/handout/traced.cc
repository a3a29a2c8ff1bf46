// Python that a framework traces: arrays of iterations, no branches on values, single precision
// unless the framework is set to double. Keras and optax differ in names alone.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/hash.h"
#include "common/policy/cyclic_shape.h"
#include "common/policy/policy_json.h"
#include "coordinator/handout/formats.h"
#include "coordinator/handout/handout.h"

namespace lrtune::handout {
namespace {

constexpr const char* kOptaxHead = R"(import math

import jax.numpy as jnp


def _float(x):
    return jnp.asarray(x, dtype=jnp.result_type(float))  # float64 if jax_enable_x64 is set


)";
constexpr const char* kOptaxLargest = R"(def _largest():
    return jnp.finfo(jnp.result_type(float)).max


)";

constexpr const char* kKerasHead = R"(import math

import keras
from keras import ops


def _float(x):
    return ops.cast(x, "float64" if keras.config.floatx() == "float64" else "float32")


)";
constexpr const char* kKerasLargest = R"(def _largest():
    return 1.7976931348623157e308 if keras.config.floatx() == "float64" else 3.4028234663852886e38


)";
constexpr const char* kKerasClass = R"(

@keras.saving.register_keras_serializable(package="lrtune", name="NAME")
class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """The policy for keras.optimizers: SGD(learning_rate=LearningRate())."""

    def __call__(self, step):
        return learning_rate(step)

    def get_config(self):
        return {}
)";

// Writes one function of t in the names of `np`: "jnp" or "ops".
class TracedFunction {
 public:
  TracedFunction(const LrFunction& function, std::string np) : f_(function), np_(std::move(np)) {}

  Lines lines() const {
    switch (f_.kind) {
      case LrFunctionKind::kFix:
        return {fmt::format("return {}.full_like(_float(t), {})", np_, number(f_.k0))};
      case LrFunctionKind::kStep:
        return {"return " + power_rate(fmt::format("t // {}", f_.l))};
      case LrFunctionKind::kNstep:
        return {fmt::format("boundaries = {}.{}([{}], dtype=\"int32\")", np_,
                            np_ == "ops" ? "convert_to_tensor" : "asarray",
                            fmt::join(f_.boundaries, ", ")),
                fmt::format(
                    "passed = {0}.sum(_float({0}.expand_dims(t, -1) >= boundaries), axis=-1)", np_),
                "return " + power_rate("passed")};
      case LrFunctionKind::kExp:
        return {"return " + power_rate("t")};
      case LrFunctionKind::kInv:
        return inv_lines();
      case LrFunctionKind::kPoly:
        return poly_lines();
      case LrFunctionKind::kSig:
        return {fmt::format("return {} / (1 + {}.exp({} * _float(t - {})))", number(f_.k0), np_,
                            number(-f_.gamma), f_.l)};
      default:
        return cyclic_lines();
    }
  }

 private:
  // gamma^exponent by its logarithm, which is computed in double precision: gamma itself, rounded
  // to single precision, would be off by t times its error.
  std::string gamma_power(const std::string& exponent) const {
    const std::string power =
        fmt::format("{}.exp(math.log({}) * _float({}))", np_, number(f_.gamma), exponent);
    return capped(power);
  }

  std::string capped(const std::string& value) const {
    return grows(f_) ? fmt::format("{}.minimum({}, _largest())", np_, value) : value;
  }

  std::string power_rate(const std::string& exponent) const {
    return capped(fmt::format("{} * {}", number(f_.k0), gamma_power(exponent)));
  }

  Lines inv_lines() const {
    std::string base = fmt::format("1 + {} * _float(t)", number(f_.gamma));
    base = f_.gamma > 1 ? fmt::format("{}.minimum({}, _largest())", np_, base) : "(" + base + ")";
    return {fmt::format("return {} * {} ** -{}", number(f_.k0), base, number(f_.p))};
  }

  Lines poly_lines() const {
    Lines lines{fmt::format("left = {}.maximum({} - t, 0)", np_, f_.l),
                fmt::format("share = (_float(left) / {}) ** {}", f_.l, number(f_.p))};
    lines.push_back(f_.k1 == 0 ? fmt::format("return {} * share", number(f_.k0))
                               : fmt::format("return {} * share + {} * (1 - share)", number(f_.k0),
                                             number(f_.k1)));
    return lines;
  }

  std::string enveloped_wave(const CyclicShape& shape) const {
    using enum CyclicShape::Envelope;
    if (shape.envelope == kNone) return "wave";
    if (shape.envelope == kExponential) return "(wave * " + gamma_power("t") + ")";
    if (shape.sawtooth) return fmt::format("(wave * 0.5 ** _float(t // {}))", f_.l);
    if (shape.shifted) return fmt::format("(wave * 0.5 ** _float((t + {}) // {}))", f_.l, 2 * f_.l);
    return fmt::format("(wave * 0.5 ** _float(t // {}))", 2 * f_.l);
  }

  Lines cyclic_lines() const {
    const CyclicShape shape = cyclic_shape(f_.kind);
    Lines lines;
    if (shape.sawtooth) {
      lines.push_back(fmt::format("part = ({0} - t % {0}) % {0}", f_.l));
    } else {
      lines.push_back(fmt::format("part = t % {}", 2 * f_.l));
      lines.push_back(fmt::format("part = {}{}.minimum(part, {} - part)",
                                  shape.shifted ? fmt::format("{} - ", f_.l) : "", np_, 2 * f_.l));
    }
    std::string wave = fmt::format("_float(part) / {}", f_.l);
    if (shape.wave != CyclicShape::Wave::kLinear)
      wave = fmt::format("{}.sin(math.pi / 2 * ({}))", np_, wave);
    if (shape.wave == CyclicShape::Wave::kSineSquared) wave += " ** 2";
    lines.push_back("wave = " + wave);
    const double low = std::min(f_.k0, f_.k1);
    const double high = std::max(f_.k0, f_.k1);
    lines.push_back("return " + capped(fmt::format("{} + {} * {}", number(low), number(high - low),
                                                   enveloped_wave(shape))));
    return lines;
  }

  const LrFunction& f_;
  std::string np_;
};

// Keras finds a class of a saved optimizer by its name: each policy has its own.
std::string keras_class(const Policy& policy) {
  const std::string name = "LearningRate_" + sha256(to_json(policy).dump()).hex().substr(0, 12);
  std::string text = kKerasClass;
  const std::string place = "\"NAME\"";
  return text.replace(text.find(place), place.size(), "\"" + name + "\"");
}

Result<void> check_lengths(const Policy& policy, std::string_view framework) {
  const auto too_long = [&](const std::string& what, std::int64_t length) {
    return fail(fmt::format("{} {} is above 2^30, and {} counts iterations in 32 bits", what,
                            length, framework));
  };
  for (const Segment& segment : policy.segments) {
    if (segment.function.l > kMostTracedLength) return too_long("l", segment.function.l);
    if (segment.from_t > kMostTracedLength) return too_long("from_t", segment.from_t);
    // Past the last `until` the last function goes on, so that one is not looked at.
    if (&segment != &policy.segments.back() && segment.until > kMostTracedLength)
      return too_long("until", segment.until);
    for (const std::int64_t boundary : segment.function.boundaries)
      if (boundary > kMostTracedLength) return too_long("the boundary", boundary);
  }
  return {};
}

// `first`: how t is made of the argument.
std::string functions_text(const Policy& policy, const std::string& np, const std::string& first) {
  const std::size_t count = policy.segments.size();
  std::string text;
  Lines whole{
      "\"\"\"The rates of iterations t = 0, 1, 2 ... of a run: one, or an array of them.\"\"\"",
      first};
  for (std::size_t i = 0; i < count; ++i) {
    text += fmt::format("def _segment_{}(t):\n{}\n\n", i + 1,
                        indented(TracedFunction(policy.segments[i].function, np).lines()));
  }
  whole.push_back(fmt::format("rate = _segment_{}({})", count, segment_time(policy, count - 1)));
  for (std::size_t i = count - 1; i-- > 0;) {
    whole.push_back(fmt::format("rate = {}.where(t < {}, _segment_{}({}), rate)", np,
                                policy.segments[i].until, i + 1, segment_time(policy, i)));
  }
  whole.emplace_back("return _float(rate)");
  return text + "def learning_rate(t):\n" + indented(whole);
}

std::string with_head(const std::string& text, std::string head, const char* largest) {
  if (text.find("math.") == std::string::npos) head.erase(0, head.find("import ", 1));
  if (text.find("_largest()") != std::string::npos) head += largest;
  return head + text;
}

}  // namespace

Result<std::string> optax_text(const Policy& policy) {
  if (const auto fits = check_lengths(policy, "optax"); !fits) return tl::unexpected(fits.error());
  const std::string functions =
      functions_text(policy, "jnp", "t = jnp.asarray(t).astype(\"int32\")");
  return docstring(policy,
                   "learning_rate is a schedule of optax: optax.sgd(learning_rate). Its rates are "
                   "float32, or\nfloat64 if jax_enable_x64 is set.") +
         with_head(functions, kOptaxHead, kOptaxLargest);
}

Result<std::string> keras_text(const Policy& policy) {
  if (const auto fits = check_lengths(policy, "keras"); !fits) return tl::unexpected(fits.error());
  const std::string functions = functions_text(policy, "ops", "t = ops.cast(t, \"int32\")");
  return docstring(policy,
                   "LearningRate() is a LearningRateSchedule of Keras 3. Its rates are float32, or "
                   "float64 if\nkeras.config.floatx() is that.") +
         with_head(functions, kKerasHead, kKerasLargest) + keras_class(policy);
}

}  // namespace lrtune::handout

#include "coordinator/handout/handout.h"

#include <fmt/format.h>

#include "common/policy/policy_json.h"
#include "coordinator/handout/formats.h"

namespace lrtune {
namespace handout {

std::string number(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string docstring(const Policy& policy, const std::string& what) {
  return fmt::format("\"\"\"{}\n\n{}\n\nMade by lrtune export of the policy\n{}\n\"\"\"\n\n",
                     describe(policy), what, to_json(policy).dump());
}

bool grows(const LrFunction& function) {
  return function.kind != LrFunctionKind::kSig && function.kind != LrFunctionKind::kInv &&
         function.gamma > 1;
}

std::string segment_time(const Policy& policy, std::size_t index) {
  const std::int64_t start = index == 0 ? 0 : policy.segments[index - 1].until;
  const std::int64_t shift = policy.segments[index].from_t - start;
  if (shift == 0) return "t";
  return shift < 0 ? fmt::format("t - {}", -shift) : fmt::format("t + {}", shift);
}

std::string indented(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += "    " + line + '\n';
  return text;
}

}  // namespace handout

Result<std::string> hand_out(const Policy& policy, HandoutFormat format,
                             std::optional<std::int64_t> iterations) {
  if (policy.reactive()) return fail("a reactive policy reacts to a run: it is no function of t");
  switch (format) {
    case HandoutFormat::kPytorch:
      return handout::pytorch_text(policy);
    case HandoutFormat::kKeras:
      return handout::keras_text(policy);
    case HandoutFormat::kOptax:
      return handout::optax_text(policy);
    case HandoutFormat::kCaffe:
      return handout::caffe_text(policy, iterations);
  }
  return fail("unknown format");
}

}  // namespace lrtune

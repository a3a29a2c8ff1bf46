// Policies as code for other frameworks (docs/HANDOUT.md). Pure: text in, text out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/policy/policy.h"
#include "common/result.h"

namespace lrtune {

enum class HandoutFormat : std::uint8_t {
  kPytorch,  // Python: learning_rate(t) and a LambdaLR over it
  kKeras,    // Python: learning_rate(t) in keras.ops and a LearningRateSchedule
  kOptax,    // Python: learning_rate(count) in jax.numpy, an optax schedule
  kCaffe,    // lines of a solver's prototxt
};

// The largest length that keras and optax, which count iterations in 32 bits, can be given: twice
// of it still fits.
inline constexpr std::int64_t kMostTracedLength = std::int64_t{1} << 30;

// The file's text. `iterations`: length of the run, if it is known; only Caffe uses it, as
// max_iter. Errors say what of the policy the framework cannot do.
Result<std::string> hand_out(const Policy& policy, HandoutFormat format,
                             std::optional<std::int64_t> iterations);

}  // namespace lrtune

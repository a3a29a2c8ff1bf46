// The JSON form of policies (docs/POLICIES.md):
//   {"function": "sin2", "k0": 0.01, "k1": 0.06, "l": 2000}
//   {"segments": [{"until": 60000, "function": "tri", ...}, {"function": "tri2", ...}]}
//   {"controller": "plateau", "functions": [{"function": "fix", ...}, ...], "start": 1, ...}
// YAML is the same form, read by common/config. to_json and policy_from_json are exact inverses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/policy/policy.h"
#include "common/result.h"

namespace lrtune {

// What a text form may leave to the run. Lengths (`l`, `until`, `from_t`, nstep's list) may be
// written in epochs, as "15 epochs" or "0.5 epochs"; they become ceil(n * samples / batch)
// iterations.
struct PolicyContext {
  std::optional<std::int64_t> run_iterations;  // poly's default l; in a segment its own length
  std::optional<double> samples_per_epoch;     // with `batch`: allows lengths in epochs
  std::int64_t batch = 0;
  std::optional<std::int64_t> evaluate_every = {};  // a reactive policy's default interval
};

// The largest policies, so that one always fits into a frame of the worker protocol (64 KiB)
// together with what else an assignment says; tests/unit/wire_codec_test.cc holds it.
inline constexpr std::size_t kMostSegments = 256;
inline constexpr std::size_t kMostBoundaries = 2000;  // of nstep, over all segments of a policy

// Reads and checks a policy. Every bad or unknown parameter is an error that names it and says what
// is allowed; `path` (a JSON pointer) is put before the places in errors. The key `name` is a label
// and ignored.
Result<Policy> policy_from_json(const nlohmann::json& json, const PolicyContext& context,
                                const std::string& path = {});

// The canonical form: every parameter that the function uses, lengths in iterations, no label.
nlohmann::json to_json(const Policy& policy);

// Iterations of a length, at least 1, written as a number or as "15 epochs". `what` names it in
// errors.
Result<std::int64_t> length_from_json(const nlohmann::json& json, const PolicyContext& context,
                                      const std::string& what, const std::string& path);

// ceil(epochs * samples / batch); a product that is whole but for rounding is not rounded up. None
// for a negative or NaN result and above 2^53. `batch` at least 1.
std::optional<std::int64_t> iterations_of_epochs(double epochs, double samples_per_epoch,
                                                 std::int64_t batch);

}  // namespace lrtune

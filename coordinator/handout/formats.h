// The parts of hand_out(). Inside of coordinator/handout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/policy/policy.h"
#include "common/result.h"

namespace lrtune::handout {

using Lines = std::vector<std::string>;

std::string pytorch_text(const Policy& policy);
Result<std::string> keras_text(const Policy& policy);
Result<std::string> optax_text(const Policy& policy);
Result<std::string> caffe_text(const Policy& policy, std::optional<std::int64_t> iterations);

// A float literal of Python that reads back as the same double: "0.01", "1e-05", "1.0".
std::string number(double value);

// A module's first lines: what it holds, and the policy as JSON, which lrtune reads again.
std::string docstring(const Policy& policy, const std::string& what);

// "gamma ** t" can pass the largest double.
bool grows(const LrFunction& function);

// Of a function that has segments: the text of `t` of segment `index` where the run's is "t", such
// as "t - 30000 + 5".
std::string segment_time(const Policy& policy, std::size_t index);

// `lines` with 4 spaces before each.
std::string indented(const Lines& lines);

}  // namespace lrtune::handout

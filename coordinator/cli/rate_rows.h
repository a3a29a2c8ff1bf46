// A policy's rates as rows of text, fast: ten million in well under a second on two cores.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "common/policy/policy.h"

namespace lrtune {

// Takes the next piece of the output; false stops it.
using TextSink = std::function<bool(std::string_view)>;

// "t,lr\n" and a row for each iteration. A rate has the fewest digits, 17 at most, that read back
// as the same double. Rows are made by several threads and given to `sink` in order, on the calling
// thread. False if `sink` said so.
bool write_csv(const Policy& policy, std::span<const std::int64_t> iterations,
               const TextSink& sink);
bool write_csv(const Policy& policy, std::int64_t iterations,
               const TextSink& sink);  // 0 .. iterations - 1

// {"policy":{...},"t":[...],"lr":[...]} and a line end, with the same digits.
bool write_json(const Policy& policy, std::span<const std::int64_t> iterations,
                const TextSink& sink);
bool write_json(const Policy& policy, std::int64_t iterations, const TextSink& sink);

}  // namespace lrtune

// The check of a frame's bytes before anything is built from them. It walks over MessagePack with a
// loop and a small array, so neither depth nor a length that lies can cost stack or memory
// (nlohmann's reader recurses: 200,000 bytes of nested arrays overflow its stack).
#pragma once

#include <cstdint>
#include <span>

#include "common/result.h"

namespace lrtune::wire {

inline constexpr std::uint32_t kMaxMapKeys = 64;

// An error unless `bytes` are exactly one MessagePack value with: at most kMaxDepth arrays and maps
// inside each other, maps of at most kMaxMapKeys different keys, keys that are texts, texts that
// are UTF-8, no extension types.
Result<void> check_structure(std::span<const std::uint8_t> bytes);

}  // namespace lrtune::wire

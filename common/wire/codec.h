// Bytes <-> messages. One frame holds all messages for one peer in one turn: MessagePack (the
// format's own to_msgpack) of [version, [kind, body], [kind, body] ...]. PROTOCOL.md has the
// grammar.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/result.h"
#include "common/wire/messages.h"

namespace lrtune::wire {

inline constexpr std::size_t kMaxFrameBytes = 64 * 1024;
inline constexpr int kMaxDepth = 16;

using Frame = std::vector<std::uint8_t>;

// Encodes `messages` in order into as few frames of at most kMaxFrameBytes as hold them. Errors:
// one message alone is larger.
Result<std::vector<Frame>> encode(std::span<const FromCoordinator> messages);
Result<std::vector<Frame>> encode(std::span<const ToCoordinator> messages);

// Checks size, depth and UTF-8 before anything is built, then version, kinds and bodies. Nothing of
// a bad frame is delivered. Safe on any input.
Result<std::vector<ToCoordinator>> decode_to_coordinator(std::span<const std::uint8_t> frame);
Result<std::vector<FromCoordinator>> decode_from_coordinator(std::span<const std::uint8_t> frame);

// The protocol version that a frame of any version states. A coordinator that gets another than
// kProtocolVersion answers REJECTED, which decode_from_coordinator reads whatever its version.
Result<std::int64_t> frame_version(std::span<const std::uint8_t> frame);

}  // namespace lrtune::wire

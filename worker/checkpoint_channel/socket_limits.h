// What the sockets of the checkpoint channel keep in memory: more chunks than a window of credit
// and its answers have, for each peer and direction.
#pragma once

#include "common/wire/checkpoint_messages.h"
#include "common/wire/transport.h"

namespace lrtune {

inline constexpr wire::SocketLimits kCheckpointSocket{.frame_bytes = wire::kMaxCheckpointFrameBytes,
                                                      .queue_frames = 16};

}  // namespace lrtune

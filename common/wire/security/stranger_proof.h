// The proof at start-up that nobody comes in without a listed key: encryption without an allow-list
// that really works would let anyone in, and look the same.
#pragma once

#include <chrono>
#include <string>

#include "common/result.h"

namespace lrtune::wire {

// Connects to `endpoint`, where a server with `server_key` listens, as a stranger: with a new key
// that nobody listed, and without encryption. Errors: one of the two came in, or was not refused
// within `limit`. Blocks up to twice `limit`; any thread.
Result<void> prove_strangers_refused(
    const std::string& endpoint, const std::string& server_key,
    std::chrono::milliseconds limit = std::chrono::milliseconds(5000));

}  // namespace lrtune::wire

// The socket of a coordinator, for workers and clients of other machines.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>

#include "common/result.h"
#include "common/wire/transport.h"

namespace lrtune {

// Whether listen() can be asked for this at all: what another start would not mend. Errors: the
// address is none, or not loopback without keys; the keys cannot be read.
Result<void> check_listening(const std::string& endpoint, const std::string& keys);

// `endpoint`: "tcp://ADDR:PORT". `keys`: a folder of `lrtune keygen`; empty: none, which loopback
// alone allows. With keys nobody gets in whose key is not admitted, which is shown before anything
// else happens; who is refused, and whose connection ends, goes to `log`. Errors: the address is
// bad, taken, or not loopback without keys; the keys cannot be read; a stranger is not refused.
Result<wire::RouterSocket> listen(const std::string& endpoint, const std::string& keys,
                                  const std::shared_ptr<spdlog::logger>& log);

}  // namespace lrtune

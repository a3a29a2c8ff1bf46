// Who can reach an endpoint of ZeroMQ, and what that asks for.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace lrtune::wire {

// Whether only this machine reaches `endpoint`: tcp:// at 127.0.0.0/8, [::1] or localhost, ipc://,
// inproc://. What cannot be read as an address is not loopback.
bool is_loopback(std::string_view endpoint);

// An address that ZeroMQ would take for another one, or wait for in vain, such as a port above
// 65535. `deed` is "listen on" or "connect to", for the error.
Result<void> check_endpoint(std::string_view deed, std::string_view endpoint);

// Without keys a socket stays on loopback. `deed` as above; the error
// names --keys, or says what an endpoint looks like.
Result<void> require_loopback(std::string_view deed, std::string_view endpoint);

}  // namespace lrtune::wire

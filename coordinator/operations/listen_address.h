// Where to listen, as people write it: "127.0.0.1:9464", "[::1]:9464", "0.0.0.0:9464".
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace lrtune {

struct ListenAddress {
  std::string address;     // an IP address; names are not looked up
  std::uint16_t port = 0;  // 0: one that is free
};

// Errors: no port, a port above 65535, something that is no IP address.
Result<ListenAddress> parse_listen_address(const std::string& text);

std::string to_text(const ListenAddress& address);

}  // namespace lrtune

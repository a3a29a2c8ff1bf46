#include "common/wire/security/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>

namespace lrtune::wire {
namespace {

constexpr std::string_view kTcp = "tcp://";

// HOST of tcp://HOST:PORT.
std::optional<std::string> host_of(std::string_view endpoint) {
  if (!endpoint.starts_with(kTcp)) return std::nullopt;
  const std::string_view address = endpoint.substr(kTcp.size());
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view port = address.substr(colon + 1);
  int number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool is_number = error == std::errc() && end == port.data() + port.size();
  if (port != "*" && (!is_number || number < 0 || number > 65'535)) return std::nullopt;
  return std::string(address.substr(0, colon));
}

}  // namespace

bool is_loopback(std::string_view endpoint) {
  if (endpoint.starts_with("ipc://") || endpoint.starts_with("inproc://")) return true;
  const auto host = host_of(endpoint);
  if (!host) return false;
  if (*host == "localhost" || *host == "[::1]") return true;
  // Read as an address, since a name may begin like one: 127.0.0.1.example.org.
  in_addr address{};
  if (inet_pton(AF_INET, host->c_str(), &address) != 1) return false;
  return (ntohl(address.s_addr) >> 24) == 127;
}

Result<void> check_endpoint(std::string_view deed, std::string_view endpoint) {
  if (!endpoint.starts_with(kTcp) || host_of(endpoint)) return {};
  return fail(fmt::format(
      "cannot {} '{}': an endpoint must be like tcp://HOST:PORT, with a port from 0 to 65535", deed,
      endpoint));
}

Result<void> require_loopback(std::string_view deed, std::string_view endpoint) {
  if (is_loopback(endpoint)) return {};
  if (!host_of(endpoint)) {
    return fail(
        fmt::format("cannot {} '{}': an endpoint must be like tcp://HOST:PORT", deed, endpoint));
  }
  return fail(
      fmt::format("cannot {} '{}' without keys: that is not this machine's loopback; give --keys "
                  "DIR with keys that 'lrtune keygen' made, or use tcp://127.0.0.1:PORT",
                  deed, endpoint));
}

}  // namespace lrtune::wire

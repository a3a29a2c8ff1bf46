#include "coordinator/operations/listen_address.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <charconv>

namespace lrtune {
namespace {

tl::unexpected<Error> bad(const std::string& text, const std::string& why) {
  return fail(
      fmt::format("'{}' is no address to listen on, {}: for example 127.0.0.1:9464, or "
                  "[::1]:9464 for IPv6",
                  text, why));
}

}  // namespace

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return bad(text, "it has no port");
  ListenAddress parsed;
  parsed.address = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), parsed.port);
  if (error != std::errc{} || end != port.data() + port.size()) {
    return bad(text, fmt::format("its port '{}' is not a number from 0 to 65535", port));
  }
  const bool bracketed = parsed.address.starts_with('[') && parsed.address.ends_with(']');
  if (bracketed) parsed.address = parsed.address.substr(1, parsed.address.size() - 2);
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(parsed.address, no_address);
  if (no_address) return bad(text, fmt::format("'{}' is no IP address", parsed.address));
  if (address.is_v6() != bracketed)
    return bad(text, "IPv6 addresses, and only they, have brackets");
  return parsed;
}

std::string to_text(const ListenAddress& address) {
  const bool v6 = address.address.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(v6 ? "[{}]:{}" : "{}:{}"), address.address, address.port);
}

}  // namespace lrtune

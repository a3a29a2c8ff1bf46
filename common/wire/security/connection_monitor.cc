#include "common/wire/security/connection_monitor.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace lrtune::wire {
namespace {

using Clock = RateLimitedLog::Clock;

constexpr const char* kEndpoint = "inproc://connections";
constexpr int kEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED |
                        ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

std::string why(std::uint16_t event, std::uint32_t value) {
  if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
    return fmt::format("it broke off ({})", zmq_strerror(static_cast<int>(value)));
  switch (value) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      return "it does not encrypt";
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
      return "it was made for another key than this server's";
    default:
      return fmt::format("it breaks ZeroMQ's protocol (0x{:x})", value);
  }
}

// libzmq says this end's address alone. "" for a connection that is gone already.
std::string peer_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto* peer = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &peer->sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(peer->sin_port));
  }
  if (storage.ss_family != AF_INET6) return {};
  const auto* peer = reinterpret_cast<const sockaddr_in6*>(&storage);
  inet_ntop(AF_INET6, &peer->sin6_addr, text.data(), text.size());
  return fmt::format("[{}]:{}", text.data(), ntohs(peer->sin6_port));
}

}  // namespace

ConnectionMonitor::ConnectionMonitor(zmq::context_t& context, zmq::socket_t& router, Log refused,
                                     Log ended)
    : events_(context, zmq::socket_type::pair),
      refused_(std::move(refused)),
      ended_(std::move(ended)) {
  if (zmq_socket_monitor(router.handle(), kEndpoint, kEvents) != 0) throw zmq::error_t();
  events_.set(zmq::sockopt::linger, 0);
  events_.set(zmq::sockopt::rcvhwm, 0);  // ZeroMQ's own thread waits where this queue is full
  events_.connect(kEndpoint);
}

// Two parts: the event and its value (zmq_socket_monitor(3)), and an address.
void ConnectionMonitor::take_events() {
  zmq::message_t part;
  while (events_.recv(part, zmq::recv_flags::dontwait)) {
    zmq::message_t rest;
    for (bool more = part.more(); more; more = rest.more()) {
      if (!events_.recv(rest, zmq::recv_flags::dontwait)) break;
    }
    take(part);
  }
}

void ConnectionMonitor::take(zmq::message_t& message) {
  std::uint16_t event = 0;
  std::uint32_t value = 0;
  if (message.size() < sizeof event + sizeof value) return;
  std::memcpy(&event, message.data(), sizeof event);
  std::memcpy(&value, message.data<char>() + sizeof event, sizeof value);
  const int descriptor = static_cast<int>(value);  // of the two events that have one
  if (event == ZMQ_EVENT_ACCEPTED) {
    peers_[descriptor] = peer_of(descriptor);
  } else if (event == ZMQ_EVENT_DISCONNECTED) {
    const auto found = peers_.extract(descriptor);
    const bool named = !found.empty() && !found.mapped().empty();
    ended_.say("ended", fmt::format("a connection{} ended", named ? " from " + found.mapped() : ""),
               Clock::now());
  } else {
    refused_.say("refused", "a connection was refused: " + why(event, value), Clock::now());
  }
}

}  // namespace lrtune::wire

#include "common/wire/security/stranger_proof.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <zmq.hpp>

#include "common/wire/security/key_files.h"

namespace lrtune::wire {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                        ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
// A server that does not take the greeting closes at once, sometimes before the stranger has read
// why. It comes again, and so often is no accident.
constexpr int kCutOffSurely = 5;
constexpr int kComeAgainMs = 20;

// A stranger: `expected` is the event by which it learns that it is refused.
struct Stranger {
  const char* words;
  int expected;
  std::optional<KeyPair> keys;
};

// The next event of `monitor`, or none until `end`.
std::optional<int> next_event(zmq::socket_t& monitor, Clock::time_point end) {
  zmq::message_t part;
  while (!monitor.recv(part, zmq::recv_flags::dontwait)) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return std::nullopt;
    zmq::pollitem_t item{monitor.handle(), 0, ZMQ_POLLIN, 0};
    zmq::poll(&item, 1, left);
  }
  std::uint16_t event = 0;
  std::memcpy(&event, part.data(), sizeof event);
  while (part.more() && monitor.recv(part, zmq::recv_flags::dontwait)) {
  }
  return event;
}

Result<void> prove_refused(const std::string& endpoint, const std::string& server_key,
                           const Stranger& stranger, std::chrono::milliseconds limit) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  zmq::socket_t monitor(context, zmq::socket_type::pair);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::reconnect_ivl, kComeAgainMs);
  monitor.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::ipv6, endpoint.find('[') != std::string::npos);
  if (stranger.keys) {
    socket.set(zmq::sockopt::curve_serverkey, server_key);
    socket.set(zmq::sockopt::curve_publickey, stranger.keys->public_key);
    socket.set(zmq::sockopt::curve_secretkey, stranger.keys->secret_key);
  }
  constexpr const char* kMonitor = "inproc://events";
  if (zmq_socket_monitor(socket.handle(), kMonitor, kEvents) != 0) throw zmq::error_t();
  monitor.connect(kMonitor);
  socket.connect(endpoint);
  const auto prefix = fmt::format("{} at {}", stranger.words, endpoint);
  const auto end = Clock::now() + limit;
  int cut_off = 0;
  while (const auto event = next_event(monitor, end)) {
    if (*event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return fail(prefix + " was let in");
    if (*event == stranger.expected) return {};
    if (*event != ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
      return fail(prefix + " failed otherwise than by being refused");
    if (!stranger.keys && ++cut_off == kCutOffSurely) return {};
  }
  return fail(fmt::format("{} was not refused within {} ms", prefix, limit.count()));
}

}  // namespace

Result<void> prove_strangers_refused(const std::string& endpoint, const std::string& server_key,
                                     std::chrono::milliseconds limit) try {
  const Stranger strangers[] = {
      {"a connection with a key that is not admitted", ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
       make_key_pair()},
      {"a connection without encryption", ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, std::nullopt}};
  for (const Stranger& stranger : strangers) {
    if (auto refused = prove_refused(endpoint, server_key, stranger, limit); !refused)
      return fail("cannot prove that strangers are refused: " + refused.error().message);
  }
  return {};
} catch (const zmq::error_t& error) {
  return fail(
      fmt::format("cannot prove that strangers are refused at {}: {}", endpoint, error.what()));
}

}  // namespace lrtune::wire

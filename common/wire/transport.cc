#include "common/wire/transport.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <zmq.hpp>

#include "common/wire/security/admission.h"
#include "common/wire/security/connection_monitor.h"
#include "common/wire/security/endpoint.h"
#include "common/wire/security/stranger_proof.h"
#include "common/wire/security/zap_handler.h"

#ifdef __SANITIZE_THREAD__
// The thread sanitizer cannot see how Debian's libzmq, which is not instrumented, hands memory from
// thread to thread; what its code, or libsodium's for it, touches is left out of the check. Strings
// that libzmq makes are allocated by the program's own std::string, so they need the third line.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so\n"
         "called_from_lib:libsodium.so\n"
         "race:libzmq.so\n";
}
#endif

namespace lrtune::wire {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog =
    4096;  // 10,000 workers that come at once; the default of 100 makes them wait
constexpr int kLingerMs = 1000;  // how long a closed socket still tries to send its last messages
constexpr int kHandshakeMs = 3000;
constexpr int kReconnectMs = 100;      // first pause; doubled up to the next, with jitter
constexpr int kReconnectMaxMs = 1000;  // a coordinator that came back has its workers within 5 s
// A server whose key is another than the client thinks says no more than that, and so does one that
// stops at that moment. One that encrypts may have closed the connection of a client without keys
// before the client has read why.
constexpr const char* kBrokenOffWithKeys =
    "the connection was ended during the handshake; the server's .public file may be that of "
    "another server";
constexpr const char* kBrokenOffWithoutKeys =
    "the connection was ended during the handshake; the server may be one that encrypts, and this "
    "side has no keys";
constexpr int kConnectionEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                                  ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                  ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
constexpr int kDropsAtOnce = 64;           // messages of revoked peers
constexpr int kKeepAliveIdleSeconds = 30;  // TCP finds peers whose machine vanished

// What encryption adds to a frame (ZeroMQ RFC 26, MESSAGE command): "\7MESSAGE", a nonce of 8
// bytes, a tag of 16 and the flags. libzmq counts it as part of the message.
constexpr std::size_t kCurveBytes = 33;

void set_common_options(zmq::socket_t& socket, const std::string& endpoint,
                        const SocketLimits& limits, bool encrypted) {
  const auto longest = static_cast<std::size_t>(limits.oversize) * limits.frame_bytes;
  socket.set(zmq::sockopt::maxmsgsize,
             static_cast<std::int64_t>(longest + (encrypted ? kCurveBytes : 0)));
  socket.set(zmq::sockopt::sndhwm, limits.queue_frames);
  socket.set(zmq::sockopt::rcvhwm, std::max(1, limits.queue_frames / limits.oversize));
  socket.set(zmq::sockopt::linger, kLingerMs);
  socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, kKeepAliveIdleSeconds);
  // With it on, a name that has both kinds of address is tried as IPv6 only.
  socket.set(zmq::sockopt::ipv6, endpoint.find('[') != std::string::npos);
}

// Waits for `sockets` and `descriptors`; the readable ones of the latter.
std::vector<int> poll_all(std::span<const zmq::socket_ref> sockets,
                          std::span<const int> descriptors, std::chrono::milliseconds timeout) {
  std::vector<zmq::pollitem_t> items;
  for (zmq::socket_ref socket : sockets) items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
  for (const int descriptor : descriptors) items.push_back({nullptr, descriptor, ZMQ_POLLIN, 0});
  try {
    zmq::poll(items, std::max(timeout, std::chrono::milliseconds{0}));
  } catch (const zmq::error_t& error) {
    if (error.num() == EINTR) return {};
    throw;
  }
  std::vector<int> readable;
  for (std::size_t i = sockets.size(); i < items.size(); ++i) {
    if (items[i].revents != 0) readable.push_back(items[i].fd);
  }
  return readable;
}

// The next message's parts, or none. Parts arrive together, so the later ones are always there.
std::vector<zmq::message_t> receive_parts(zmq::socket_t& socket) {
  std::vector<zmq::message_t> parts;
  do {
    zmq::message_t& part = parts.emplace_back();
    if (!socket.recv(part, zmq::recv_flags::dontwait)) return {};
  } while (parts.back().more());
  return parts;
}

Frame frame_of(const zmq::message_t& part) {
  const auto* data = part.data<std::uint8_t>();
  return {data, data + part.size()};
}

zmq::const_buffer buffer_of(std::span<const std::uint8_t> frame) {
  return zmq::buffer(frame.data(), frame.size());
}

std::string reason(const zmq::error_t& error) {
  if (error.num() == EINVAL || error.num() == EPROTONOSUPPORT)
    return "an endpoint must be like tcp://HOST:PORT";
  return error.what();
}

// 1 to 1.5 s, so that workers that were refused together do not come together.
std::chrono::milliseconds pause_after_refusal() {
  return std::chrono::milliseconds(kReconnectMaxMs + randombytes_uniform(500));
}

std::string random_identity() {
  std::string identity(16, 'w');  // ZeroMQ keeps identities that start with a zero byte for itself
  if (sodium_init() < 0) throw std::runtime_error("no source of random numbers");
  randombytes_buf(identity.data() + 1, identity.size() - 1);
  return identity;
}

}  // namespace

struct RouterSocket::Impl {
  zmq::context_t context;
  std::string server_key;                // empty: no security
  std::unique_ptr<ZapHandler> zap;       // null: no security
  std::unique_ptr<Admission> admission;  // likewise
  std::unique_ptr<ConnectionMonitor> monitor;
  // Last: it goes before the handler that answers for it, and before its monitor.
  zmq::socket_t socket{context, zmq::socket_type::router};
  std::string endpoint;

  // False: the message is to be dropped. Every part of a message carries its sender's key.
  bool identify(Incoming& incoming, zmq::message_t& part) {
    if (!zap) return true;
    const char* key = nullptr;
    try {
      key = part.gets("User-Id");
    } catch (const zmq::error_t&) {  // it has none, which only an admitted peer has
    }
    const auto admitted = zap->keys();
    const AdmittedPeer* sender =
        admission->sender(incoming.peer, key == nullptr ? "" : key, *admitted);
    if (sender == nullptr) return false;
    incoming.role = sender->role;
    incoming.key_name = sender->name;
    return true;
  }
};

RouterSocket::RouterSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RouterSocket::RouterSocket(RouterSocket&&) noexcept = default;
RouterSocket& RouterSocket::operator=(RouterSocket&&) noexcept = default;
RouterSocket::~RouterSocket() = default;

Result<RouterSocket> RouterSocket::bind(const std::string& endpoint, const SocketLimits& limits,
                                        const std::optional<ServerSecurity>& security,
                                        const ConnectionLog& log) try {
  if (auto good = check_endpoint("listen on", endpoint); !good) return tl::unexpected(good.error());
  if (auto safe = require_loopback("listen on", endpoint); !security && !safe)
    return tl::unexpected(safe.error());
  auto impl = std::make_unique<Impl>();
  set_common_options(impl->socket, endpoint, limits, security.has_value());
  if (security) {
    impl->server_key = security->keys.public_key;
    impl->zap = std::make_unique<ZapHandler>(impl->context, impl->socket, *security);
    impl->admission = std::make_unique<Admission>(security->log);
  }
  const ConnectionLog silent = [](const std::string&) {};
  const ConnectionLog ended = log ? log : silent;
  impl->monitor = std::make_unique<ConnectionMonitor>(
      impl->context, impl->socket, security && security->log ? security->log : ended, ended);
  impl->socket.set(zmq::sockopt::router_mandatory, true);
  // A worker that comes back before its broken connection was noticed takes its own place.
  impl->socket.set(zmq::sockopt::router_handover, true);
  impl->socket.set(zmq::sockopt::backlog, kBacklog);
  impl->socket.bind(endpoint);
  impl->endpoint = impl->socket.get(zmq::sockopt::last_endpoint);
  return RouterSocket(std::move(impl));
} catch (const zmq::error_t& error) {
  const std::string why = error.num() == ENODEV
                              ? "no address, host name or network interface of this machine"
                              : reason(error);
  return fail(fmt::format("cannot listen on '{}': {}", endpoint, why));
}

const std::string& RouterSocket::endpoint() const { return impl_->endpoint; }

Result<void> RouterSocket::prove_strangers_refused(std::chrono::milliseconds limit) {
  if (!impl_->zap) return fail(fmt::format("{} has no keys: everyone gets in", impl_->endpoint));
  return wire::prove_strangers_refused(impl_->endpoint, impl_->server_key, limit);
}

std::optional<Incoming> RouterSocket::receive() {
  // Bounded, so that whoever is dropped can keep nobody here.
  for (int i = 0; i < kDropsAtOnce; ++i) {
    auto parts = receive_parts(impl_->socket);
    if (parts.empty()) return std::nullopt;
    Incoming incoming{parts[0].to_string(), {}};
    if (!impl_->identify(incoming, parts.back())) continue;
    if (parts.size() == 2) incoming.frame = frame_of(parts[1]);
    return incoming;
  }
  return std::nullopt;
}

SendStatus RouterSocket::send(const std::string& peer, std::span<const std::uint8_t> frame) try {
  if (impl_->zap && !impl_->admission->may_hear(peer, *impl_->zap->keys()))
    return SendStatus::kNobody;
  const auto flags = zmq::send_flags::dontwait;
  if (!impl_->socket.send(zmq::buffer(peer), flags | zmq::send_flags::sndmore))
    return SendStatus::kFull;
  return impl_->socket.send(buffer_of(frame), flags) ? SendStatus::kSent : SendStatus::kFull;
} catch (const zmq::error_t& error) {
  if (error.num() == EHOSTUNREACH) return SendStatus::kNobody;
  throw;
}

std::vector<int> RouterSocket::wait(std::span<const int> descriptors,
                                    std::chrono::milliseconds timeout) {
  const zmq::socket_ref sockets[] = {impl_->socket, impl_->monitor->socket()};
  auto readable = poll_all(sockets, descriptors, timeout);
  impl_->monitor->take_events();
  return readable;
}

struct DealerSocket::Impl {
  zmq::context_t context;
  zmq::socket_t socket{context, zmq::socket_type::dealer};
  zmq::socket_t monitor{context, zmq::socket_type::pair};
  std::string endpoint;
  std::uint64_t connections = 0;
  std::optional<std::string> refusal;
  bool encrypted = false;
  // ZeroMQ does not try again after these refusals; the key may be admitted later.
  std::optional<Clock::time_point> connect_again_at;
  // After an error of protocol libzmq ends a connection and makes no other: from here it looks like
  // one whose other side is slow.
  std::chrono::milliseconds stalled_after{0};
  std::optional<Clock::time_point> stalled_since;

  void connect_again() {
    connect_again_at.reset();
    stalled_since.reset();
    // Whatever is left of the old connection would be a second one.
    if (zmq_disconnect(socket.handle(), endpoint.c_str()) != 0 && zmq_errno() != ENOENT)
      throw zmq::error_t();
    socket.connect(endpoint);
  }

  void take_events() {
    for (auto parts = receive_parts(monitor); !parts.empty(); parts = receive_parts(monitor)) {
      std::uint16_t event = 0;
      std::memcpy(&event, parts[0].data(), std::min(sizeof event, parts[0].size()));
      if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        ++connections;
        refusal.reset();
        connect_again_at.reset();
      } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        connect_again_at = Clock::now() + pause_after_refusal();
        refusal = "this key is not admitted there (allowed/ in the folder of keys)";
      } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
        connect_again_at = Clock::now() + pause_after_refusal();
        refusal = "one side encrypts and the other does not, or it is no server of lrtune";
      } else if (!refusal) {
        refusal = encrypted ? kBrokenOffWithKeys : kBrokenOffWithoutKeys;
      }
    }
  }
};

DealerSocket::DealerSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DealerSocket::DealerSocket(DealerSocket&&) noexcept = default;
DealerSocket& DealerSocket::operator=(DealerSocket&&) noexcept = default;
DealerSocket::~DealerSocket() = default;

Result<DealerSocket> DealerSocket::connect(const std::string& endpoint, const SocketLimits& limits,
                                           const std::optional<ClientSecurity>& security) try {
  if (auto good = check_endpoint("connect to", endpoint); !good)
    return tl::unexpected(good.error());
  if (auto safe = require_loopback("connect to", endpoint); !security && !safe)
    return tl::unexpected(safe.error());
  auto impl = std::make_unique<Impl>();
  set_common_options(impl->socket, endpoint, limits, security.has_value());
  if (security) {
    impl->socket.set(zmq::sockopt::curve_serverkey, security->server_key);
    impl->socket.set(zmq::sockopt::curve_publickey, security->keys.public_key);
    impl->socket.set(zmq::sockopt::curve_secretkey, security->keys.secret_key);
  }
  impl->socket.set(zmq::sockopt::routing_id, random_identity());
  impl->socket.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
  impl->socket.set(zmq::sockopt::reconnect_ivl_max, kReconnectMaxMs);
  // Nothing is queued for a coordinator that is away: on its return it would read minutes of old
  // greetings.
  impl->socket.set(zmq::sockopt::immediate, true);
  constexpr const char* kMonitor = "inproc://connections";
  if (zmq_socket_monitor(impl->socket.handle(), kMonitor, kConnectionEvents) != 0) {
    throw zmq::error_t();
  }
  impl->monitor.set(zmq::sockopt::linger, 0);
  impl->monitor.connect(kMonitor);
  impl->socket.connect(endpoint);
  impl->endpoint = endpoint;
  impl->encrypted = security.has_value();
  impl->stalled_after = limits.stalled_after;
  return DealerSocket(std::move(impl));
} catch (const zmq::error_t& error) {
  return fail(fmt::format("cannot connect to '{}': {}", endpoint, reason(error)));
}

std::optional<Frame> DealerSocket::receive() {
  const auto parts = receive_parts(impl_->socket);
  if (parts.empty()) return std::nullopt;
  return parts.size() == 1 ? frame_of(parts[0]) : Frame{};
}

bool DealerSocket::send(std::span<const std::uint8_t> frame) {
  const bool taken = impl_->socket.send(buffer_of(frame), zmq::send_flags::dontwait).has_value();
  auto& since = impl_->stalled_since;
  if (taken) {
    since.reset();
  } else if (!since) {
    since = Clock::now();
  } else if (Clock::now() - *since >= impl_->stalled_after) {
    impl_->connect_again();
  }
  return taken;
}

void DealerSocket::connect_anew() { impl_->connect_again(); }

std::uint64_t DealerSocket::connections() {
  impl_->take_events();
  return impl_->connections;
}

std::optional<std::string> DealerSocket::refusal() {
  impl_->take_events();
  return impl_->refusal;
}

std::vector<int> DealerSocket::wait(std::span<const int> descriptors,
                                    std::chrono::milliseconds timeout) {
  impl_->take_events();
  if (const auto at = impl_->connect_again_at) {
    if (Clock::now() >= *at) impl_->connect_again();
    timeout = std::min(timeout, std::chrono::ceil<std::chrono::milliseconds>(*at - Clock::now()));
  }
  const zmq::socket_ref sockets[] = {impl_->socket, impl_->monitor};
  return poll_all(sockets, descriptors, timeout);
}

}  // namespace lrtune::wire

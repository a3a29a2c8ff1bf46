// ZeroMQ sockets with the project's options (PROTOCOL.md, Transport). The only place that knows
// ZeroMQ. A socket belongs to the thread that made it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/wire/codec.h"
#include "common/wire/security/key_folder.h"
#include "common/wire/security/peer_role.h"

namespace lrtune::wire {

enum class SendStatus : std::uint8_t {
  kSent,
  kFull,    // the peer's queue is full (EAGAIN): it does not read
  kNobody,  // no such peer (EHOSTUNREACH)
};

struct Incoming {
  std::string peer;  // ROUTER identity
  Frame frame;
  PeerRole role = PeerRole::kUnauthenticated;  // by the key that its connection was made with
  std::string key_name;                        // of that key's file; empty: unauthenticated
};

// What a peer may make this side keep in memory: frames in a queue, each way and peer, of so many
// bytes.
struct SocketLimits {
  std::size_t frame_bytes = kMaxFrameBytes;
  int queue_frames = 256;  // of 64 KiB: at most 16 MiB that nobody reads
  // Frames up to so many times as long arrive all the same, in a queue that is as much shorter, so
  // that whoever decodes them can say who sent them. At anything longer ZeroMQ ends the connection.
  int oversize = 1;
  // A dealer whose queue takes nothing for so long makes its connection anew.
  std::chrono::milliseconds stalled_after{5000};
};

// What is told of connections, one sentence each; called on the socket's thread, within wait().
using ConnectionLog = std::function<void(const std::string&)>;

// The coordinator's end. Never blocks: DONTWAIT and ROUTER_MANDATORY.
class RouterSocket {
 public:
  // `endpoint` as ZeroMQ's, e.g. "tcp://127.0.0.1:*". With `security` only peers whose key is
  // admitted get in, and what a peer says once its key is revoked is dropped. `log` is told of each
  // connection that ends; refused ones go to `security`'s log, or to `log` without one. Errors: the
  // address is bad, taken, or not loopback without `security`.
  static Result<RouterSocket> bind(const std::string& endpoint, const SocketLimits& limits = {},
                                   const std::optional<ServerSecurity>& security = std::nullopt,
                                   const ConnectionLog& log = {});
  RouterSocket(RouterSocket&&) noexcept;
  RouterSocket& operator=(RouterSocket&&) noexcept;
  ~RouterSocket();

  const std::string& endpoint() const;  // with the real port
  // Nothing there: nullopt. A message of several parts is against the protocol: it comes as an
  // empty frame, which no decoder accepts, so that its sender is known where bad frames are noted.
  std::optional<Incoming> receive();
  // To a peer whose key is revoked, or which has said nothing yet, a secure socket sends nothing:
  // kNobody.
  SendStatus send(const std::string& peer, std::span<const std::uint8_t> frame);

  // With `security`: shows that no stranger gets in (security/stranger_proof.h). To be called
  // before anything else; without `security` it is an error.
  Result<void> prove_strangers_refused(
      std::chrono::milliseconds limit = std::chrono::milliseconds(5000));

  // Waits until a message is there, one of `descriptors` is readable or `timeout` is over. Returns
  // the readable descriptors. A signal ends the wait early.
  std::vector<int> wait(std::span<const int> descriptors, std::chrono::milliseconds timeout);

 private:
  struct Impl;
  explicit RouterSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A worker's end: reconnects by itself with back-off and jitter.
class DealerSocket {
 public:
  // Errors: the endpoint is not one, or is not loopback without `security`.
  static Result<DealerSocket> connect(const std::string& endpoint, const SocketLimits& limits = {},
                                      const std::optional<ClientSecurity>& security = std::nullopt);
  DealerSocket(DealerSocket&&) noexcept;
  DealerSocket& operator=(DealerSocket&&) noexcept;
  ~DealerSocket();

  std::optional<Frame> receive();  // as RouterSocket::receive
  bool send(std::span<const std::uint8_t>
                frame);  // false: no connection, or its queue is full; try again later
  // Leaves the connection, if there is one, for a new one: whoever hears nothing over it may try.
  void connect_anew();
  // Connections made so far. When it grows, what was sent over the last one may be lost. A new one
  // ends wait().
  std::uint64_t connections();
  // Why the last attempt to connect was refused, in words; none once a connection is made. It goes
  // on trying all the same.
  std::optional<std::string> refusal();
  std::vector<int> wait(std::span<const int> descriptors, std::chrono::milliseconds timeout);

 private:
  struct Impl;
  explicit DealerSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lrtune::wire

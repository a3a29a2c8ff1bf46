// ZeroMQ sockets with the project's options (PROTOCOL.md, Transport). The only place that knows
// ZeroMQ. A socket belongs to the thread that made it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/wire/codec.h"

namespace lrtune::wire {

enum class SendStatus : std::uint8_t {
  kSent,
  kFull,    // the peer's queue is full (EAGAIN): it does not read
  kNobody,  // no such peer (EHOSTUNREACH)
};

struct Incoming {
  std::string peer;  // ROUTER identity
  Frame frame;
};

// What a peer may make this side keep in memory: frames in a queue, each way and peer, of so many
// bytes.
struct SocketLimits {
  std::size_t frame_bytes = kMaxFrameBytes;
  int queue_frames = 256;  // of 64 KiB: at most 16 MiB that nobody reads
};

// The coordinator's end. Never blocks: DONTWAIT and ROUTER_MANDATORY.
class RouterSocket {
 public:
  // `endpoint` as ZeroMQ's, e.g. "tcp://127.0.0.1:*". Errors: the address is bad or taken.
  static Result<RouterSocket> bind(const std::string& endpoint, const SocketLimits& limits = {});
  RouterSocket(RouterSocket&&) noexcept;
  RouterSocket& operator=(RouterSocket&&) noexcept;
  ~RouterSocket();

  const std::string& endpoint() const;  // with the real port
  // Nothing there: nullopt. A message of several parts is against the protocol: it comes as an
  // empty frame, which no decoder accepts, so that its sender is known where bad frames are noted.
  std::optional<Incoming> receive();
  SendStatus send(const std::string& peer, std::span<const std::uint8_t> frame);

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
  static Result<DealerSocket> connect(const std::string& endpoint, const SocketLimits& limits = {});
  DealerSocket(DealerSocket&&) noexcept;
  DealerSocket& operator=(DealerSocket&&) noexcept;
  ~DealerSocket();

  std::optional<Frame> receive();  // as RouterSocket::receive
  bool send(std::span<const std::uint8_t>
                frame);  // false: no connection, or its queue is full; try again later
  // Connections made so far. When it grows, what was sent over the last one may be lost. A new one
  // ends wait().
  std::uint64_t connections();
  std::vector<int> wait(std::span<const int> descriptors, std::chrono::milliseconds timeout);

 private:
  struct Impl;
  explicit DealerSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lrtune::wire

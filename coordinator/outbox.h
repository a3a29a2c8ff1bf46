// Frames on their way to peers. A peer that does not read gets a bounded queue; nothing here ever
// blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "common/wire/transport.h"
#include "coordinator/core/core.h"

namespace lrtune {

// One thread.
class Outbox {
 public:
  // RouterSocket::send, or a test's.
  using SendFrame = std::function<wire::SendStatus(const PeerId&, std::span<const std::uint8_t>)>;

  // `limit`: bytes that may wait for one peer.
  Outbox(SendFrame send, std::size_t limit);

  // Sends `frame`, or keeps it behind those that wait already. A peer that is gone, or for which
  // more than the limit would wait, is lost: all that waits for it is dropped.
  void send(const PeerId& peer, wire::Frame frame);

  // Tries again what waits.
  void flush();

  // Peers lost since the last call.
  std::vector<event::PeerLost> take_lost();

  void drop(const PeerId& peer);
  void clear();
  bool waiting() const { return !queues_.empty(); }

 private:
  struct Queue {
    std::deque<wire::Frame> frames;
    std::size_t bytes = 0;
  };
  void lose(const PeerId& peer, std::string reason);

  SendFrame send_;
  std::size_t limit_;
  std::map<PeerId, Queue> queues_;
  std::vector<event::PeerLost> lost_;
};

}  // namespace lrtune

#include "coordinator/outbox.h"

#include <fmt/format.h>

#include <utility>

namespace lrtune {

Outbox::Outbox(SendFrame send, std::size_t limit) : send_(std::move(send)), limit_(limit) {}

void Outbox::send(const PeerId& peer, wire::Frame frame) {
  if (!queues_.contains(peer)) {
    const wire::SendStatus status = send_(peer, frame);
    if (status == wire::SendStatus::kSent) return;
    if (status == wire::SendStatus::kNobody) return lose(peer, "its connection is gone");
  }
  Queue& queue = queues_[peer];
  if (queue.bytes + frame.size() > limit_) {
    return lose(peer, fmt::format("it does not read: {} bytes wait for it", queue.bytes));
  }
  queue.bytes += frame.size();
  queue.frames.push_back(std::move(frame));
}

void Outbox::flush() {
  std::vector<PeerId> gone;
  for (auto it = queues_.begin(); it != queues_.end();) {
    auto& [peer, queue] = *it;
    wire::SendStatus status = wire::SendStatus::kSent;
    while (!queue.frames.empty() &&
           (status = send_(peer, queue.frames.front())) == wire::SendStatus::kSent) {
      queue.bytes -= queue.frames.front().size();
      queue.frames.pop_front();
    }
    if (status == wire::SendStatus::kNobody) gone.push_back(peer);
    it = queue.frames.empty() ? queues_.erase(it) : std::next(it);
  }
  for (const PeerId& peer : gone) lose(peer, "its connection is gone");
}

std::vector<event::PeerLost> Outbox::take_lost() { return std::exchange(lost_, {}); }

void Outbox::drop(const PeerId& peer) { queues_.erase(peer); }

void Outbox::clear() { queues_.clear(); }

void Outbox::lose(const PeerId& peer, std::string reason) {
  queues_.erase(peer);
  lost_.push_back(event::PeerLost{peer, std::move(reason), true});
}

}  // namespace lrtune

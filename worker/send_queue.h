// Messages on their way to the coordinator. They share frames; what the socket does not take waits
// here, and a newer copy of a message replaces the older, so the queue stays small however long the
// coordinator is away.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/wire/messages.h"

namespace lrtune {

class SendQueue {
 public:
  using SendFrame = std::function<bool(std::span<const std::uint8_t>)>;  // false: not now

  void push(wire::ToCoordinator message);

  // Sends what it can, in order. A message that cannot be encoded is dropped; returns why, for the
  // log. After a refused frame some messages may be sent twice, which the protocol allows.
  std::vector<std::string> flush(const SendFrame& send);

  bool empty() const { return messages_.empty(); }
  std::size_t size() const { return messages_.size(); }
  bool stalled() const { return stalled_; }  // the last flush left something

 private:
  std::deque<wire::ToCoordinator> messages_;
  bool stalled_ = false;
};

}  // namespace lrtune

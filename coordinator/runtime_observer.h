// What the coordinator's loop tells of itself: for metrics and health. Nothing is decided by it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "coordinator/core/core.h"

namespace lrtune {

// Called from the thread of Runtime::run() while the cluster waits: a call must neither block nor
// take long.
class RuntimeObserver {
 public:
  using Seconds = std::chrono::duration<double>;

  virtual ~RuntimeObserver() = default;

  // The core is made from the store: at the start, and again after a failed commit. With a large
  // store that takes seconds.
  virtual void loading() {}
  virtual void loaded() {}

  virtual void received(std::size_t /*bytes*/) {}  // a frame, whatever is in it
  virtual void refused() {}                        // one of those could not be read
  virtual void sent(std::size_t /*bytes*/) {}      // a frame that ZeroMQ took

  virtual void stepped(const StepFacts& /*facts*/) {}  // of one turn
  virtual void committed(std::span<const Record> /*records*/, Seconds /*commit*/) {}
  virtual void commit_failed() {}
  // Assignments left for their workers' connections, so long after the events that caused them were
  // there to be read. The commit lies in between.
  virtual void dispatched(std::int64_t /*assignments*/, Seconds /*since*/) {}

  virtual void turned(Seconds /*work*/) {}  // a turn is over; waiting is not counted
  virtual void pictured(const Snapshot& /*snapshot*/) {}
};

}  // namespace lrtune

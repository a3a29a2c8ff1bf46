// One direction of one worker's connection. Batches (frames) arrive in the order of their sending,
// as TCP delivers, late by a latency; a break of the connection loses some of those under way and
// may bring a few of them late, after those of the next connection. Faults that ZeroMQ excludes
// within a connection, losses, repetitions and batches that overtake others, are there as well.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tests/support/sim/event_loop.h"

namespace lrtune::sim {

struct NetworkFaults {
  Duration min_latency{50};
  Duration max_latency{2000};
  double drop = 0;       // chance that a batch is lost
  double duplicate = 0;  // chance that a batch comes again, perhaps much later
  double overtake = 0;   // chance that a batch does not wait for those before it
  double slow = 0;       // chance of a latency of up to `slow_latency`
  Duration slow_latency{3'000'000};
};

template <typename Message>
class Channel : public std::enable_shared_from_this<Channel<Message>> {
 public:
  using Batch = std::vector<Message>;
  using Deliver = std::function<void(const Batch&)>;

  Channel(EventLoop& loop, SimRandom& random, const NetworkFaults& faults, Deliver deliver)
      : loop_(loop), random_(random), faults_(faults), deliver_(std::move(deliver)) {}

  void send(Batch batch) {
    if (closed_ || random_.chance(lossy_ ? 1 : faults_.drop)) return;
    if (random_.chance(faults_.duplicate)) {
      loop_.after(random_.between(Duration(0), 3 * faults_.slow_latency),
                  [self = this->shared_from_this(), batch] {
                    if (!self->closed_) self->put(batch);
                  });
    }
    put(std::move(batch));
  }

  // A blocked channel keeps what is under way until it is unblocked; a lossy one loses what is
  // sent.
  void block(bool blocked) {
    blocked_ = blocked;
    if (!blocked) plan_pump(Duration(0));
  }
  void lose_all(bool lossy) { lossy_ = lossy; }

  void break_connection() {
    if (under_way_.empty()) return;
    const std::size_t arrives = random_.below(under_way_.size() + 1);
    while (under_way_.size() > arrives) {
      if (random_.chance(0.2)) {
        deliver_alone(std::move(under_way_.back().batch),
                      random_.between(Duration(0), faults_.slow_latency));
      }
      under_way_.pop_back();
    }
  }

  // The sender or the receiver is gone for good.
  void close() {
    closed_ = true;
    under_way_.clear();
  }
  // The sender is gone: what is under way may still arrive.
  void sender_gone() {
    break_connection();
    lossy_ = true;
  }

 private:
  struct UnderWay {
    Batch batch;
    Duration ready;
  };

  void put(Batch batch) {
    Duration latency = random_.between(faults_.min_latency, faults_.max_latency);
    if (random_.chance(faults_.slow)) latency = random_.between(latency, faults_.slow_latency);
    if (random_.chance(faults_.overtake)) return deliver_alone(std::move(batch), latency);
    last_ready_ = std::max(last_ready_, loop_.now() + latency);
    under_way_.push_back({std::move(batch), last_ready_});
    plan_pump(last_ready_ - loop_.now());
  }

  void plan_pump(Duration delay) {
    loop_.after(delay, [self = this->shared_from_this()] { self->pump(); });
  }

  void pump() {
    while (!blocked_ && !under_way_.empty() && under_way_.front().ready <= loop_.now()) {
      const Batch batch = std::move(under_way_.front().batch);
      under_way_.pop_front();
      deliver_(batch);
    }
  }

  void deliver_alone(Batch batch, Duration latency) {
    loop_.after(latency, [self = this->shared_from_this(), batch = std::move(batch)] {
      if (!self->closed_ && !self->blocked_) self->deliver_(batch);
    });
  }

  EventLoop& loop_;
  SimRandom& random_;
  const NetworkFaults& faults_;
  Deliver deliver_;
  std::deque<UnderWay> under_way_;  // ascending `ready`
  Duration last_ready_{0};
  bool blocked_ = false;
  bool lossy_ = false;
  bool closed_ = false;
};

}  // namespace lrtune::sim

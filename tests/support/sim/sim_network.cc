#include "tests/support/sim/sim_network.h"

#include <algorithm>
#include <utility>

#include "common/wire/codec.h"

namespace lrtune::sim {
namespace {

Result<ToCoordinatorBatch> decode(const wire::Frame& frame, const ToCoordinatorBatch&) {
  return wire::decode_to_coordinator(frame);
}
Result<ToWorkerBatch> decode(const wire::Frame& frame, const ToWorkerBatch&) {
  return wire::decode_from_coordinator(frame);
}

// What the other end reads when `batch` went through bytes.
template <typename Message>
std::vector<Message> through_bytes(const std::vector<Message>& batch) {
  const auto frames = wire::encode(std::span(batch));
  if (!frames) throw Violation("a batch cannot be encoded: " + frames.error().message);
  std::vector<Message> read;
  for (const wire::Frame& frame : *frames) {
    auto messages = decode(frame, batch);
    if (!messages) throw Violation("a frame cannot be decoded: " + messages.error().message);
    for (Message& message : *messages) read.push_back(std::move(message));
  }
  require(read == batch, "the codec changed a message");
  return read;
}

template <typename Message>
std::int64_t without_heartbeats(const std::vector<Message>& batch) {
  return std::count_if(batch.begin(), batch.end(), [](const Message& message) {
    return !std::holds_alternative<wire::Heartbeat>(message);
  });
}

}  // namespace

SimNetwork::SimNetwork(EventLoop& loop, SimRandom& random, Trace& trace, NetworkFaults faults,
                       bool through_codec)
    : loop_(loop), random_(random), trace_(trace), faults_(faults), through_codec_(through_codec) {}

void SimNetwork::coordinator_up(
    std::function<void(const PeerId&, const ToCoordinatorBatch&)> receive) {
  receive_ = std::move(receive);
  up_ = true;
  for (auto& [name, peer] : peers_) {
    if (!peer.held) peer.to_coordinator->block(false);
  }
}

// The sockets of the workers keep what they send until somebody listens again.
void SimNetwork::coordinator_down() {
  up_ = false;
  for (auto& [name, peer] : peers_) {
    peer.to_worker->break_connection();
    peer.to_coordinator->break_connection();
    peer.to_coordinator->block(true);
  }
}

bool SimNetwork::send(const PeerId& name, const ToWorkerBatch& batch) {
  const auto it = peers_.find(name);
  if (it == peers_.end() || !it->second.connected) return false;
  messages_ += without_heartbeats(batch);
  it->second.to_worker->send(through_codec_ ? through_bytes(batch) : batch);
  return true;
}

void SimNetwork::connect(const PeerId& name, std::function<void(const ToWorkerBatch&)> receive) {
  Peer& peer = peers_[name];
  peer.to_coordinator = std::make_shared<Channel<wire::ToCoordinator>>(
      loop_, random_, faults_, [this, name](const ToCoordinatorBatch& batch) {
        if (trace_.on()) trace_.line("{} -> coordinator: {}", name, describe(batch));
        receive_(name, batch);
      });
  peer.to_worker = std::make_shared<Channel<wire::FromCoordinator>>(
      loop_, random_, faults_,
      [this, name, receive = std::move(receive)](const ToWorkerBatch& batch) {
        if (trace_.on()) trace_.line("coordinator -> {}: {}", name, describe(batch));
        receive(batch);
      });
  if (!up_) peer.to_coordinator->block(true);
}

void SimNetwork::disconnect(const PeerId& name) {
  Peer& peer = peers_.at(name);
  peer.connected = false;
  peer.to_worker->close();
  peer.to_coordinator->sender_gone();
}

void SimNetwork::send(const PeerId& name, const ToCoordinatorBatch& batch) {
  messages_ += without_heartbeats(batch);
  peers_.at(name).to_coordinator->send(through_codec_ ? through_bytes(batch) : batch);
}

void SimNetwork::break_connection(const PeerId& name) {
  Peer& peer = peers_.at(name);
  peer.to_coordinator->break_connection();
  peer.to_worker->break_connection();
}

void SimNetwork::partition(const PeerId& name, bool to_coordinator, bool to_worker, bool hold) {
  Peer& peer = peers_.at(name);
  if (!peer.connected) return;
  if (hold) {
    peer.held = peer.held || to_coordinator;
    if (to_coordinator) peer.to_coordinator->block(true);
    if (to_worker) peer.to_worker->block(true);
  } else {
    if (to_coordinator) peer.to_coordinator->lose_all(true);
    if (to_worker) peer.to_worker->lose_all(true);
  }
}

void SimNetwork::heal(const PeerId& name) {
  Peer& peer = peers_.at(name);
  if (!peer.connected) return;
  peer.held = false;
  peer.to_coordinator->lose_all(false);
  peer.to_worker->lose_all(false);
  peer.to_worker->block(false);
  if (up_) peer.to_coordinator->block(false);
}

void SimNetwork::stop_faults() {
  faults_.drop = faults_.duplicate = faults_.overtake = faults_.slow = 0;
}

}  // namespace lrtune::sim

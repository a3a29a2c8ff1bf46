// The connections between one coordinator and its workers, with the faults of a network.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/messages.h"
#include "coordinator/core/core.h"
#include "tests/support/sim/channel.h"
#include "tests/support/sim/trace.h"

namespace lrtune::sim {

using ToCoordinatorBatch = std::vector<wire::ToCoordinator>;
using ToWorkerBatch = std::vector<wire::FromCoordinator>;

class SimNetwork {
 public:
  // `through_codec`: every batch becomes bytes and messages again on its way.
  SimNetwork(EventLoop& loop, SimRandom& random, Trace& trace, NetworkFaults faults,
             bool through_codec);

  // ---- the coordinator's end: one process at a time
  void coordinator_up(std::function<void(const PeerId&, const ToCoordinatorBatch&)> receive);
  void coordinator_down();
  // False: the peer is not there any more.
  bool send(const PeerId& peer, const ToWorkerBatch& batch);

  // ---- a worker process's end
  void connect(const PeerId& peer, std::function<void(const ToWorkerBatch&)> receive);
  void disconnect(const PeerId& peer);  // the process ended
  void send(const PeerId& peer, const ToCoordinatorBatch& batch);

  // ---- faults
  void break_connection(const PeerId& peer);
  // `hold`: what is sent meanwhile arrives afterwards; otherwise it is lost.
  void partition(const PeerId& peer, bool to_coordinator, bool to_worker, bool hold);
  void heal(const PeerId& peer);
  void stop_faults();  // no losses and long delays from now on
  NetworkFaults& faults() { return faults_; }

  std::int64_t messages_but_heartbeats() const { return messages_; }

 private:
  struct Peer {
    std::shared_ptr<Channel<wire::ToCoordinator>> to_coordinator;
    std::shared_ptr<Channel<wire::FromCoordinator>> to_worker;
    bool connected = true;
    bool held = false;  // its way to the coordinator, by a partition
  };

  EventLoop& loop_;
  SimRandom& random_;
  Trace& trace_;
  NetworkFaults faults_;
  bool through_codec_;
  bool up_ = false;
  std::function<void(const PeerId&, const ToCoordinatorBatch&)> receive_;
  std::map<PeerId, Peer> peers_;
  std::int64_t messages_ = 0;
};

}  // namespace lrtune::sim

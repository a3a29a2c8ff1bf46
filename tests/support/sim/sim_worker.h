// A worker of the simulated cluster: the real WorkerCore, and around it what its runtime does, with
// simulated training. A crash loses all its memory; the next process has another id.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/sim/acknowledged.h"
#include "tests/support/sim/scenario.h"
#include "tests/support/sim/sim_network.h"
#include "tests/support/sim/sim_store.h"
#include "tests/support/sim/sim_training.h"
#include "worker/core/worker_core.h"

namespace lrtune::sim {

// What all parts of one simulation share.
struct World {
  EventLoop& loop;
  SimRandom& random;
  Trace& trace;
  SimNetwork& network;
  SimStore& store;
  Acknowledged& acknowledged;
  const Scenario& scenario;
};

class SimWorker {
 public:
  SimWorker(World& world, std::string name, int slots, Numerics numerics);

  void start();  // a new process
  void crash();
  void leave();  // SIGTERM
  // It does nothing for so long. `sleeps`: its whole machine does, and its clock with it.
  void freeze(Duration length, bool sleeps);
  void wake();
  void hang();  // one of its training threads, for ever

  bool alive() const { return core_.has_value(); }
  bool frozen() const { return frozen_; }
  const PeerId& peer() const { return peer_; }
  const std::string& name() const { return name_; }

 private:
  struct Training {
    wire::Assign assignment;
    SimRun run;
    std::size_t next_point = 0;
    bool stopping = false;
    bool poisonous = false;
    bool hung = false;  // says nothing any more, and does not stop
    Duration started;
  };
  using AttemptKey = std::pair<JobId, Attempt>;

  // Plans `action` of this process; a frozen process does it after it wakes up, a dead one never.
  void later(Duration delay, std::function<void()> action);
  WorkerTime now() const;
  void step(const WorkerEvent& event);
  void receive(const ToWorkerBatch& batch);
  void check_message(const wire::FromCoordinator& message) const;
  void note_acknowledged(const wire::Acknowledge& acknowledge) const;
  void carry_out(const std::vector<WorkerAction>& actions);
  void remember(const wire::ToCoordinator& message);
  void plan_tick();

  void start_survey(const worker_action::StartSurvey& action);
  void start_job(const worker_action::StartJob& action);
  void stop_job(const worker_action::StopJob& action);
  void exit(const worker_action::Exit& action);
  void train_on(AttemptKey key);
  void report_point(AttemptKey key);
  void finish(AttemptKey key, Outcome outcome);

  World& world_;
  std::string name_;
  int slots_;
  Numerics numerics_;
  PeerId peer_;
  std::optional<WorkerCore> core_;
  int processes_ = 0;  // so far; the newest one's number
  Duration clock_offset_{0};
  bool frozen_ = false;
  bool sleeps_ = false;
  Duration frozen_at_{0};
  std::vector<std::function<void()>> deferred_;  // while frozen
  std::optional<WorkerTime> planned_tick_;
  std::map<AttemptKey, Training> training_;
  std::set<AttemptKey> begun_;  // by this process
  std::map<std::tuple<JobId, Attempt, std::int64_t>, wire::ToCoordinator> reports_;  // by sequence
};

}  // namespace lrtune::sim

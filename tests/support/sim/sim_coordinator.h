// The coordinator of the simulated cluster: the real Core, and around it what its runtime does. A
// turn takes what has arrived, steps the core, commits, and only then sends. It may crash at any
// point of a turn; the next one starts from the store.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/sim/sim_worker.h"

namespace lrtune::sim {

enum class CrashPoint : std::uint8_t { kBeforeCommit, kBeforeSends, kDuringSends, kAfterSends };

class SimCoordinator {
 public:
  explicit SimCoordinator(World& world) : world_(world) {}

  void start();  // a new process, from the store
  // The process dies in its next turn, which comes soon.
  void crash_at(CrashPoint point);
  void stall(Duration length);  // it does nothing for so long
  void jump_wall_clock(std::int64_t milliseconds) { wall_offset_ += milliseconds; }
  void post(Event event);  // to the present process; forgotten if there is none

  bool up() const { return core_.has_value(); }
  Snapshot snapshot() const { return core_->snapshot(); }
  int restarts() const { return processes_; }

 private:
  void make_core(bool submit_always);
  void plan_turn(Duration delay);
  void plan_tick();
  void turn();
  void step(const Event& event);
  bool commit();  // false: it failed, and the core was made anew
  void send();
  void send_to(const PeerId& peer, const ToWorkerBatch& batch);
  void check_backed(const wire::ToWorker& message) const;
  void die();
  bool dies_at(CrashPoint point) const { return crash_ == point; }
  Now now() const;

  World& world_;
  std::optional<Core> core_;
  int processes_ = 0;
  int cores_ = 0;  // made in all
  Duration steady_offset_{0};
  std::int64_t wall_offset_ = 1'700'000'000'000;
  std::optional<CrashPoint> crash_;
  Duration stalled_until_{0};
  std::deque<Event> inbox_;
  bool turn_planned_ = false;
  std::optional<SteadyTime> planned_tick_;
  bool tick_due_ = false;
  Actions actions_;  // of the turn under way
};

}  // namespace lrtune::sim

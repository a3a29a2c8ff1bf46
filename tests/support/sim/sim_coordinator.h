// The coordinator of the simulated cluster: the real Core, and around it what its runtime does. A
// turn takes what has arrived, steps the core, commits, and only then sends. It may crash at any
// point of a turn; the next one starts from the store.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/sim/sim_people.h"

namespace lrtune::sim {

enum class CrashPoint : std::uint8_t { kBeforeCommit, kBeforeSends, kDuringSends, kAfterSends };

class SimCoordinator {
 public:
  SimCoordinator(World& world, SimPeople& people) : world_(world), people_(people) {}

  void start();  // a new process, from the store; it ends at once if that cannot be read
  // The process dies in its next turn, which comes soon.
  void crash_at(CrashPoint point);
  void crash();                 // at once
  void stall(Duration length);  // it does nothing for so long
  // Its machine sleeps for so long: the monotonic clock stands still, the wall clock goes on.
  void suspend(Duration length);
  void jump_wall_clock(std::int64_t milliseconds) { wall_offset_ += milliseconds; }
  void post(Event event);  // to the present process; forgotten if there is none

  bool up() const { return core_.has_value(); }
  Snapshot snapshot() const { return core_->snapshot(); }
  int restarts() const { return processes_; }

 private:
  bool make_core(bool submit_always);  // false: the store cannot be read, and the process ended
  void plan_turn(Duration delay);
  void plan_tick();
  void turn();
  void step(const Event& event);
  bool commit();  // false: it failed, and the core was made anew or the process ended
  void commit_failed();
  void send();
  void send_to(const PeerId& peer, const ToWorkerBatch& batch);
  void check_backed(const wire::FromCoordinator& message) const;
  void die();
  bool dies_at(CrashPoint point) const { return crash_ == point; }
  Now now() const;

  World& world_;
  SimPeople& people_;
  std::optional<Core> core_;
  int processes_ = 0;
  int cores_ = 0;           // made in all
  int failed_commits_ = 0;  // in a row
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

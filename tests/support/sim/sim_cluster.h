// One simulation: a coordinator, its workers, the faults, and what must hold in the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/sim/sim_coordinator.h"

namespace lrtune::sim {

class SimCluster {
 public:
  // `trace_lines`: how many of the last events are kept as text; 0 is fast.
  SimCluster(const Scenario& scenario, std::size_t trace_lines);

  // Runs to the end of all campaigns and a while longer. Throws Violation (or what the cores throw)
  // if anything is wrong.
  void run();

  // Only to the end of all campaigns, and checks nothing about it.
  void run_plainly();

  const SimStore& store() const { return store_; }
  std::string trace() const { return trace_.text(); }
  Duration ended_at() const { return ended_at_; }
  std::int64_t attempts() const;  // of all jobs

 private:
  void start();
  void plan_fault(Duration mean, void (SimCluster::*fault)());
  void plan_faults();
  void end_faults();
  void run_until(Duration time);
  bool all_done() const;
  bool is_cancelled(const Experiment& experiment) const;
  void stop_and_resume();
  void extend();
  void check_end() const;
  void check_replay(CampaignId campaign) const;
  void check_job(const TrialRecord& trial) const;
  void check_quiet();

  SimWorker& any_worker();
  void crash_worker();
  void worker_leaves();
  void freeze_worker();
  void hang_thread();
  void suspend_worker();
  void restart_workers();
  void crash_coordinator();
  void stall_coordinator();
  void suspend_coordinator();
  void cut_power();
  void fail_commit();
  void fail_load();
  void break_connection();
  void partition();
  void partition_all();
  Duration partition_length();
  void cut_off(const PeerId& peer, std::size_t ways, bool hold, Duration length);
  void report_false_loss();
  void jump_wall_clock();
  void back_up();
  void restore();

  Scenario scenario_;
  EventLoop loop_;
  SimRandom random_;
  Trace trace_;
  SimNetwork network_;
  SimStore store_;
  Acknowledged acknowledged_;
  World world_;
  SimPeople people_;
  SimCoordinator coordinator_;
  std::vector<std::unique_ptr<SimWorker>> workers_;
  std::optional<SimStore> backup_;
  int histories_ = 0;
  bool faults_ = true;
  bool restarts_ = true;  // dead processes come back
  Duration ended_at_{0};
};

// The ranking that `experiment` must end with: that of a run without faults on one worker.
struct ReferenceRow {
  TrialPhase phase;
  std::int64_t number;  // of the trial
  FlatJson scores;
  bool operator==(const ReferenceRow&) const = default;
};
std::vector<ReferenceRow> ranking_of(const SimStore& store, const Digest& experiment);
// `further_policies` is as Scenario has it.
const std::vector<ReferenceRow>& reference_ranking(const Experiment& experiment,
                                                   const std::string& further_policies);

}  // namespace lrtune::sim

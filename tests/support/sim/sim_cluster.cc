#include "tests/support/sim/sim_cluster.h"

#include <algorithm>
#include <utility>

namespace lrtune::sim {
namespace {

constexpr Duration kSecond{1'000'000};
constexpr std::size_t kMaxEvents = 2'000'000;

std::vector<std::string> worker_names(const Scenario& scenario) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < scenario.slots.size(); ++i) names.push_back(fmt::format("w{}", i));
  return names;
}

StoreRules rules_of(const Scenario& scenario) {
  return {.failed_jobs_come_back = scenario.experiments.size() > 1,
          .campaigns_grow = !scenario.further_policies.empty(),
          .trials_grow = scenario.family == Family::kSearches};
}

}  // namespace

SimCluster::SimCluster(const Scenario& scenario, std::size_t trace_lines)
    : scenario_(scenario),
      random_(scenario.seed),
      trace_(loop_, trace_lines),
      network_(loop_, random_, trace_, scenario.network, scenario.through_codec),
      store_(rules_of(scenario)),
      world_{loop_, random_, trace_, network_, store_, acknowledged_, scenario_},
      people_(world_, worker_names(scenario_)),
      coordinator_(world_, people_) {
  const std::vector<std::string> names = worker_names(scenario_);
  for (std::size_t i = 0; i < names.size(); ++i) {
    workers_.push_back(
        std::make_unique<SimWorker>(world_, names[i], scenario_.slots[i], simulated_numerics()));
  }
  for (int i = 0; i < scenario_.foreign_workers; ++i) {
    workers_.push_back(std::make_unique<SimWorker>(world_, fmt::format("foreign{}", i), 2,
                                                   simulated_numerics("cuda")));
  }
}

void SimCluster::run() {
  start();
  plan_faults();
  if (scenario_.stop_and_resume) stop_and_resume();
  run_until(scenario_.faults_until);
  end_faults();
  run_until(scenario_.deadline);
  if (!all_done()) throw Violation("the campaigns did not end in time, though all faults ended");
  if (!scenario_.further_policies.empty()) extend();
  check_end();
  check_quiet();
}

void SimCluster::run_plainly() {
  start();
  run_until(scenario_.deadline);
  require(all_done(), "the campaigns end");
  if (!scenario_.further_policies.empty()) extend();
}

void SimCluster::start() {
  coordinator_.start();
  if (scenario_.orders || !scenario_.further_policies.empty()) people_.start();
  if (!scenario_.orders) people_.settle();
  if (scenario_.cancels_second) people_.cancel(scenario_.experiments[1]->hash);
  for (auto& worker : workers_) {
    loop_.after(random_.between(Duration(0), kSecond), [&worker] {
      if (!worker->alive()) worker->start();
    });
  }
  restart_workers();
  if (scenario_.experiments.size() < 2) return;
  loop_.after(random_.between(kSecond, 40 * kSecond),
              [this] { coordinator_.post(event::Submitted{*scenario_.experiments[1]}); });
}

// Supervision: processes that ended are started again after a while.
void SimCluster::restart_workers() {
  for (auto& worker : workers_) {
    if (restarts_ && !worker->alive() && loop_.now() > kSecond && random_.chance(0.3)) {
      worker->start();
    }
  }
  if (restarts_ && !coordinator_.up() && random_.chance(0.4)) coordinator_.start();
  const bool resubmit = restarts_ && coordinator_.up() && scenario_.experiments.size() > 1 &&
                        loop_.now() > 40 * kSecond &&
                        store_.campaign(scenario_.experiments[1]->hash) == nullptr;
  if (resubmit) coordinator_.post(event::Submitted{*scenario_.experiments[1]});
  loop_.after(kSecond, [this] { restart_workers(); });
}

void SimCluster::plan_fault(Duration mean, void (SimCluster::*fault)()) {
  if (mean == Duration(0)) return;
  loop_.after(random_.between(Duration(0), 2 * mean), [this, mean, fault] {
    if (!faults_) return;
    (this->*fault)();
    plan_fault(mean, fault);
  });
}

void SimCluster::plan_faults() {
  const FaultRates& rates = scenario_.rates;
  plan_fault(rates.worker_crash, &SimCluster::crash_worker);
  plan_fault(rates.worker_leave, &SimCluster::worker_leaves);
  plan_fault(rates.worker_freeze, &SimCluster::freeze_worker);
  plan_fault(rates.worker_sleep, &SimCluster::suspend_worker);
  plan_fault(rates.coordinator_crash, &SimCluster::crash_coordinator);
  plan_fault(rates.coordinator_stall, &SimCluster::stall_coordinator);
  plan_fault(rates.coordinator_sleep, &SimCluster::suspend_coordinator);
  plan_fault(rates.power_cut, &SimCluster::cut_power);
  plan_fault(rates.failed_commit, &SimCluster::fail_commit);
  plan_fault(rates.failed_load, &SimCluster::fail_load);
  plan_fault(rates.broken_connection, &SimCluster::break_connection);
  plan_fault(rates.partition, &SimCluster::partition);
  plan_fault(rates.wide_partition, &SimCluster::partition_all);
  plan_fault(rates.false_loss, &SimCluster::report_false_loss);
  plan_fault(rates.clock_jump, &SimCluster::jump_wall_clock);
  plan_fault(rates.worker_hang, &SimCluster::hang_thread);
  plan_fault(rates.backup, &SimCluster::back_up);
  plan_fault(rates.restore, &SimCluster::restore);
  if (rates.restore != Duration(0)) acknowledged_.expect_losses();
}

void SimCluster::end_faults() {
  trace_.line("faults end");
  faults_ = false;
  network_.stop_faults();
  store_.fail_next(0);
  store_.fail_loads(0);
  people_.settle();
  for (auto& worker : workers_) {
    if (!worker->peer().empty()) network_.heal(worker->peer());
    worker->wake();
    if (!worker->alive()) worker->start();
  }
  if (!coordinator_.up()) coordinator_.start();
}

void SimCluster::run_until(Duration time) {
  for (std::size_t events = 0; loop_.now() < time && !all_done(); ++events) {
    require(events < kMaxEvents, "the cluster never comes to rest");
    if (!loop_.run_one()) return;
  }
}

bool SimCluster::all_done() const {
  if (!faults_ && !people_.settled()) return false;
  return std::all_of(scenario_.experiments.begin(), scenario_.experiments.end(),
                     [this](const Experiment* one) {
                       const CampaignRecord* campaign = store_.campaign(one->hash);
                       if (campaign == nullptr) return false;
                       return campaign->state == CampaignState::kDone || is_cancelled(*one);
                     });
}

bool SimCluster::is_cancelled(const Experiment& experiment) const {
  return scenario_.cancels_second && &experiment == scenario_.experiments[1] &&
         store_.campaign(experiment.hash)->state == CampaignState::kCancelled;
}

// Somebody gives the first campaign more policies when it is done, and the faults come back.
void SimCluster::extend() {
  trace_.line("the first campaign is extended");
  people_.extend({.campaign = "1", .policies = scenario_.further_policies});
  faults_ = true;
  plan_faults();
  const Duration faults_until = loop_.now() + random_.between(10 * kSecond, 60 * kSecond);
  while (loop_.now() < faults_until && loop_.run_one()) continue;
  end_faults();
  run_until(loop_.now() + scenario_.deadline);
  require(people_.extended() && all_done(), "an extended campaign ends");
}

// The coordinator is told to stop: all workers leave, it says so, and the next one goes on.
void SimCluster::stop_and_resume() {
  run_until(random_.between(kSecond, 30 * kSecond));
  if (all_done()) return;
  restarts_ = false;
  const auto is_up = [this] { return coordinator_.up(); };
  if (!is_up()) coordinator_.start();
  coordinator_.post(event::StopRequested{"stop"});
  const Duration limit = loop_.now() + 60 * kSecond;
  while (is_up() && !coordinator_.snapshot().stopped && loop_.now() < limit) loop_.run_one();
  require(!is_up() || coordinator_.snapshot().stopped, "a stopped coordinator gets rid of all");
  if (is_up()) coordinator_.crash_at(CrashPoint::kBeforeCommit);
  while (is_up()) loop_.run_one();
  restarts_ = true;
}

std::int64_t SimCluster::attempts() const {
  std::int64_t attempts = 0;
  for (const auto& [id, job] : store_.jobs()) attempts += job.attempt;
  return attempts;
}

SimWorker& SimCluster::any_worker() { return *workers_[random_.below(workers_.size())]; }

void SimCluster::crash_worker() { any_worker().crash(); }

void SimCluster::worker_leaves() { any_worker().leave(); }

void SimCluster::freeze_worker() {
  any_worker().freeze(random_.between(kSecond, 3 * Duration(scenario_.core.lease)), false);
}

void SimCluster::suspend_worker() {
  any_worker().freeze(random_.between(kSecond, 6 * Duration(scenario_.core.lease)), true);
}

void SimCluster::hang_thread() { any_worker().hang(); }

void SimCluster::crash_coordinator() {
  coordinator_.crash_at(static_cast<CrashPoint>(random_.below(4)));
}

void SimCluster::stall_coordinator() {
  coordinator_.stall(random_.between(kSecond, 2 * Duration(scenario_.core.lease)));
}

void SimCluster::suspend_coordinator() {
  coordinator_.suspend(random_.between(kSecond, 4 * Duration(scenario_.core.lease)));
}

void SimCluster::cut_power() {
  trace_.line("the power is cut");
  for (const auto& worker : workers_) worker->crash();
  coordinator_.crash();
}

void SimCluster::fail_commit() { store_.fail_next(static_cast<int>(random_.between(1, 4))); }

void SimCluster::fail_load() { store_.fail_loads(static_cast<int>(random_.between(1, 2))); }

void SimCluster::break_connection() {
  SimWorker& worker = any_worker();
  if (!worker.alive()) return;
  trace_.line("the connection of {} breaks", worker.peer());
  network_.break_connection(worker.peer());
}

void SimCluster::partition() {
  SimWorker& worker = any_worker();
  if (!worker.alive()) return;
  cut_off(worker.peer(), random_.below(3), random_.chance(0.5), partition_length());
}

// A switch fails.
void SimCluster::partition_all() {
  const std::size_t ways = random_.below(3);
  const bool hold = random_.chance(0.5);
  const Duration length = partition_length();
  for (const auto& worker : workers_) {
    if (worker->alive()) cut_off(worker->peer(), ways, hold, length);
  }
}

Duration SimCluster::partition_length() {
  return random_.between(kSecond, 3 * Duration(scenario_.core.lease));
}

void SimCluster::cut_off(const PeerId& peer, std::size_t ways, bool hold, Duration length) {
  trace_.line("{} is cut off: {}, {}", peer,
              ways == 0   ? "to the coordinator"
              : ways == 1 ? "from the coordinator"
                          : "both ways",
              hold ? "messages wait" : "messages are lost");
  network_.partition(peer, ways != 1, ways != 0, hold);
  loop_.after(length, [this, peer] {
    trace_.line("{} is back", peer);
    network_.heal(peer);
  });
}

void SimCluster::report_false_loss() {
  SimWorker& worker = any_worker();
  if (worker.alive()) coordinator_.post(event::PeerLost{worker.peer(), "its queue was full"});
}

void SimCluster::back_up() {
  trace_.line("the store is copied");
  backup_ = store_;
}

// By somebody who stops the coordinator first.
void SimCluster::restore() {
  const bool empty = !backup_ || random_.chance(0.3);
  trace_.line("{} takes the store's place", empty ? "an empty store" : "the last copy");
  coordinator_.crash();
  store_ = empty ? SimStore(rules_of(scenario_)) : *backup_;
  // One that was made with cp has the history of the store.
  if (empty || random_.chance(0.7)) store_.begin_history(++histories_);
}

void SimCluster::jump_wall_clock() {
  coordinator_.jump_wall_clock(random_.between(-86'400'000, 86'400'000));
}

}  // namespace lrtune::sim

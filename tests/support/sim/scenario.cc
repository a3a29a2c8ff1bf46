#include "tests/support/sim/scenario.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "tests/support/sim/trace.h"

namespace lrtune::sim {
namespace {

constexpr Duration kSecond{1'000'000};
constexpr std::size_t kBases = kPooledExperiments / 2;

std::string policy_yaml(SimRandom& random) {
  // The first and the last two are one job: they apply the same rates.
  static constexpr std::array kPolicies = {
      "{function: fix, k0: 0.1}",
      "{function: fix, k0: [0.2, 0.02, 0.002]}",
      "{function: fix, k0: 1.5}",  // diverges at once
      "{function: step, k0: 0.3, gamma: 0.5, l: 10}",
      "{function: [sin, cos], k0: 0.01, k1: 0.06, l: [5, 10]}",
      "{function: tri, k0: 0.1, k1: 1.4, l: 20}",  // diverges later
      "{function: poly, k0: [0.1, 0.05], p: 1.2}",
      "{function: exp, k0: 0.4, gamma: [0.9, 0.99]}",
      "{segments: [{until: 7, function: fix, k0: 0.1}, {function: fix, k0: 0.01}]}",
      "{segments: [{until: 7, function: fix, k0: 0.1}, {function: fix, k0: 0.1}]}",
      "{function: exp, k0: 0.1, gamma: 1}",
  };
  return kPolicies[random.below(kPolicies.size())];
}

// Experiments of one base have all but their policies in common, so they share jobs.
std::string experiment_yaml(std::size_t index) {
  SimRandom base(1000 + index % kBases);
  SimRandom own(2000 + index);
  const std::int64_t every = base.between(3, 20);
  const std::int64_t iterations = base.between(5, 60);
  std::string yaml = fmt::format(
      "name: pooled-{}\n"
      "train:\n"
      "  dataset: {{name: mnist}}\n"
      "  model: lenet\n"
      "  optimizer: {{name: sgd}}\n"
      "  batch: 100\n"
      "run:\n"
      "  iterations: {}\n"
      "  evaluate: {{every: {}}}\n",
      index, iterations, every);
  const bool target = base.chance(0.5);
  if (target) {
    yaml += fmt::format("  target: {{top1: 0.8}}\n  stop_at_target: {}\n", base.chance(0.4));
  }
  yaml += fmt::format("seed: {}\nsearch:\n  method: grid\n  policies:\n", base.between(1, 3));
  const std::int64_t policies = own.between(3, 8);
  yaml += "    - {function: fix, k0: 0.05}\n";
  for (std::int64_t i = 0; i < policies; ++i) yaml += "    - " + policy_yaml(own) + "\n";
  // A controller for every third: coarse accuracies are often on a plateau.
  if (index % 3 == 1) {
    yaml +=
        "    - {controller: plateau, functions: [{function: tri, k0: 0, k1: 0.4, l: 7}, "
        "{function: fix, k0: 0.3}, {function: fix, k0: 0.03}], start: 1, metric: top1, window: 2, "
        "threshold: 0.3, cooldown: 1}\n";
  }
  if (own.chance(0.7)) {
    yaml += fmt::format("verify: {{top: {}, repeats: {}}}\n", own.between(1, 3), own.between(1, 2));
  }
  static constexpr std::array kBy = {"top1", "loss", "robustness", "cost"};
  yaml += fmt::format("rank: {{by: {}, at: {}}}\n", kBy[own.below(target ? 4 : 3)],
                      own.chance(0.5) ? "best" : "final");
  if (own.chance(0.3))
    yaml += fmt::format("tolerance: {{top: {}, scales: [0.5, 1, 4]}}\n", own.between(1, 2));
  return yaml;
}

std::string policies_of(SimRandom& random) {
  std::string yaml =
      "  policies:\n"
      "    - {function: fix, k0: {log: [0.001, 2]}}\n"  // high ones diverge
      "    - {function: [sin, tri], k0: 0.01, k1: {uniform: [0.02, 1.5]}, l: {int: [3, 12]}}\n"
      "    - {function: exp, k0: [0.1, 0.3], gamma: {choice: [0.9, 0.99]}}\n";
  if (random.chance(0.5))
    yaml += fmt::format("verify: {{top: {}, repeats: 2}}\n", random.between(1, 3));
  return yaml;
}

std::string tree_search(SimRandom& random, std::int64_t every) {
  std::string yaml =
      fmt::format("search:\n  method: tree\n  boundaries: {{every: {}}}\n  keep: {}\n", every,
                  random.between(1, 3));
  if (random.chance(0.3)) {
    return yaml +
           "  draw: grid\n  policies:\n    - {function: fix, k0: [0.3, 0.1]}\n"
           "    - {function: poly, k0: 0.2, p: [1, 2]}\n";
  }
  yaml += fmt::format("  tries: {}\n  draw: {}\n", random.between(1, 5),
                      random.chance(0.5) ? "sobol" : "random");
  return yaml + policies_of(random);
}

std::string searching_yaml(std::size_t index) {
  SimRandom random(3000 + index);
  const std::int64_t first = random.between(2, 10);
  std::string yaml = fmt::format(
      "name: searching-{}\n"
      "train:\n"
      "  dataset: {{name: mnist}}\n"
      "  model: lenet\n"
      "  optimizer: {{name: sgd}}\n"
      "  batch: 100\n"
      "run:\n"
      "  iterations: {}\n"
      "  evaluate: {{every: {}}}\n"
      "seed: {}\nrank: {{by: {}, at: {}}}\n",
      index, first * random.between(2, 8), random.between(2, 12), random.between(1, 3),
      random.chance(0.5) ? "top1" : "loss", random.chance(0.5) ? "best" : "final");
  static constexpr std::array kMethods = {"halving", "asha", "tpe", "random", "tree"};
  const std::size_t method = index % kMethods.size();
  if (method == 4) return yaml + tree_search(random, first);
  yaml += fmt::format("search:\n  method: {}\n  count: {}\n", kMethods[method],
                      random.between(1, method == 2 ? 14 : 30));
  if (method == 3 || (method == 2 && random.chance(0.3))) {
    yaml += fmt::format("  stop: {{median: {{after: {}, others: {}}}}}\n", random.between(1, 9),
                        random.between(1, 4));
  }
  if (method == 3) return yaml + policies_of(random);
  if (method == 2) {
    yaml += fmt::format("  startup: {}\n  good: 0.3\n  ei_candidates: 6\n", random.between(1, 5));
  } else {
    yaml += fmt::format("  first_rung: {}\n  eta: {}\n  draw: {}\n", first, random.between(2, 4),
                        random.chance(0.5) ? "sobol" : "random");
  }
  return yaml + policies_of(random);
}

std::vector<Experiment> make_pool(std::size_t size, std::string (*yaml)(std::size_t)) {
  std::vector<Experiment> pool;
  for (std::size_t i = 0; i < size; ++i) {
    auto experiment = experiment_from_yaml(yaml(i), fmt::format("pooled-{}.yaml", i));
    if (!experiment) throw Violation(experiment.error().message);
    pool.push_back(std::move(*experiment));
  }
  return pool;
}

Duration often(SimRandom& random) { return random.between(kSecond, 15 * kSecond); }
Duration maybe(SimRandom& random) { return random.chance(0.7) ? often(random) : Duration(0); }

void add_worker_faults(FaultRates& rates, SimRandom& random) {
  rates.worker_crash = often(random);
  rates.worker_leave = maybe(random);
  rates.worker_freeze = maybe(random);
  rates.worker_sleep = maybe(random);
}

void add_coordinator_faults(FaultRates& rates, SimRandom& random) {
  rates.coordinator_crash = often(random);
  rates.coordinator_stall = maybe(random);
  rates.coordinator_sleep = maybe(random);
  rates.clock_jump = maybe(random);
}

void add_network_faults(Scenario& scenario, SimRandom& random) {
  NetworkFaults& network = scenario.network;
  network.drop = random.chance(0.7) ? 0.1 * static_cast<double>(random.between(0, 3)) : 0;
  network.duplicate = random.chance(0.5) ? 0.2 : 0;
  network.overtake = random.chance(0.5) ? 0.1 : 0;
  network.slow = random.chance(0.5) ? 0.1 : 0;
  scenario.rates.broken_connection = maybe(random);
  scenario.rates.false_loss = maybe(random);
}

void add_disk_faults(FaultRates& rates, SimRandom& random) {
  rates.failed_commit = random.between(kSecond, 10 * kSecond);
  rates.failed_load = maybe(random);
}

// Their orders must come in the order in which they were given.
void add_faults_around_people(FaultRates& rates, SimRandom& random) {
  if (random.chance(0.5)) add_worker_faults(rates, random);
  if (random.chance(0.5)) add_coordinator_faults(rates, random);
  if (random.chance(0.3)) add_disk_faults(rates, random);
  rates.broken_connection = maybe(random);
}

void add_faults(Scenario& scenario, SimRandom& random) {
  FaultRates& rates = scenario.rates;
  switch (scenario.family) {
    case Family::kNoFaults:
      break;
    case Family::kWorkerCrashes:
      return add_worker_faults(rates, random);
    case Family::kCoordinatorCrashes:
      return add_coordinator_faults(rates, random);
    case Family::kNetworkFaults:
      return add_network_faults(scenario, random);
    case Family::kPartitions:
      rates.partition = often(random);
      rates.wide_partition = maybe(random);
      break;
    case Family::kFailedCommits:
      return add_disk_faults(rates, random);
    case Family::kPowerCuts:
      rates.power_cut = often(random);
      rates.worker_sleep = maybe(random);
      rates.coordinator_sleep = maybe(random);
      return add_disk_faults(rates, random);
    case Family::kPoisonousJobs:
      scenario.poison = {0.1, 0.02};
      rates.failed_commit = maybe(random);
      break;
    case Family::kStopAndResume:
      scenario.stop_and_resume = true;
      break;
    case Family::kSearches:
      scenario.orders = random.chance(0.3);
      if (scenario.orders) return add_faults_around_people(rates, random);
      [[fallthrough]];
    case Family::kAllTogether:
    case Family::kSharedWork:
      add_worker_faults(rates, random);
      add_coordinator_faults(rates, random);
      add_network_faults(scenario, random);
      rates.power_cut = random.chance(0.3) ? often(random) : Duration(0);
      rates.partition = maybe(random);
      rates.wide_partition = maybe(random);
      rates.failed_commit = maybe(random);
      rates.failed_load = maybe(random);
      rates.worker_hang = maybe(random);
      break;
    case Family::kHungThreads:
      rates.worker_hang = often(random);
      rates.worker_leave = maybe(random);
      break;
    case Family::kRestores:
      rates.backup = often(random);
      rates.restore = often(random);
      // Of a worker that is frozen, a restored coordinator hears late what it holds of before.
      rates.worker_freeze = maybe(random);
      rates.worker_crash = maybe(random);
      rates.coordinator_crash = maybe(random);
      break;
    case Family::kOrders:
      scenario.orders = true;
      scenario.cancels_second = random.chance(0.3);
      if (random.chance(0.5)) {
        scenario.further_policies = "- {function: fix, k0: [0.03, 0.3]}";
        for (std::int64_t i = random.between(0, 2); i > 0; --i)
          scenario.further_policies += "\n- " + policy_yaml(random);
      }
      return add_faults_around_people(rates, random);
  }
}

}  // namespace

const Experiment& pooled_experiment(std::size_t index) {
  static const std::vector<Experiment> pool = make_pool(kPooledExperiments, experiment_yaml);
  return pool[index % pool.size()];
}

const Experiment& searching_experiment(std::size_t index) {
  static const std::vector<Experiment> pool = make_pool(kSearchingExperiments, searching_yaml);
  return pool[index % pool.size()];
}

Scenario make_scenario(Family family, std::uint64_t seed) {
  SimRandom random(seed * 64 + static_cast<std::uint64_t>(family));
  Scenario scenario;
  scenario.seed = random.bits();
  scenario.family = family;
  const std::size_t experiment = random.below(kPooledExperiments);
  scenario.experiments = {&pooled_experiment(experiment)};
  if (family == Family::kSharedWork || family == Family::kOrders) {
    scenario.experiments.push_back(&pooled_experiment(experiment + kBases));
  }
  if (family == Family::kSearches) {
    scenario.experiments = {&searching_experiment(random.below(kSearchingExperiments))};
    if (random.chance(0.3))
      scenario.experiments.push_back(&searching_experiment(random.below(kSearchingExperiments)));
  }
  for (std::int64_t i = random.between(1, 5); i > 0; --i) {
    scenario.slots.push_back(static_cast<int>(random.between(1, 3)));
  }
  scenario.foreign_workers = random.chance(0.2) ? 1 : 0;
  scenario.iteration_time = random.between(Duration(1'000), Duration(500'000));
  scenario.faults_until = random.between(20 * kSecond, 120 * kSecond);
  scenario.through_codec = random.chance(0.25);
  scenario.core.lease = std::chrono::milliseconds(random.between(3, 8) * 1000);
  // Chance deaths must not poison a job, or the results would depend on the faults.
  scenario.core.max_deaths = family == Family::kPoisonousJobs ? 3 : 1'000'000;
  add_faults(scenario, random);
  if (family == Family::kNoFaults) scenario.faults_until = Duration(0);
  // One slow worker may be all that is left for the longest search.
  scenario.deadline = scenario.faults_until + 1'000 * kSecond + 10'000 * scenario.iteration_time;
  return scenario;
}

std::string name_of(Family family) {
  static constexpr std::array<const char*, kFamilies> kNames = {
      "NoFaults",      "WorkerCrashes", "CoordinatorCrashes",
      "NetworkFaults", "Partitions",    "FailedCommits",
      "AllTogether",   "PoisonousJobs", "SharedWork",
      "StopAndResume", "PowerCuts",     "HungThreads",
      "Orders",        "Searches",      "Restores"};
  return kNames[static_cast<std::size_t>(family)];
}

}  // namespace lrtune::sim

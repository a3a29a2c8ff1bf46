// Everything that a simulation is, drawn from one number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "coordinator/core/core.h"
#include "tests/support/sim/channel.h"

namespace lrtune::sim {

enum class Family : std::uint8_t {
  kNoFaults,
  kWorkerCrashes,       // kill -9, leaving in order, SIGSTOP past the lease
  kCoordinatorCrashes,  // before the commit, between commit and send, during and after the sends
  kNetworkFaults,       // losses, duplicates, delays, broken connections
  kPartitions,          // both ways and one way
  kFailedCommits,
  kAllTogether,
  kPoisonousJobs,
  kSharedWork,     // two campaigns with jobs in common, all faults
  kStopAndResume,  // the coordinator is told to stop, later started again
  kPowerCuts,      // everything dies at once, or sleeps; the disk fails too
  kHungThreads,    // a training thread makes no step any more while its worker's heart beats
  kOrders,    // people pause, cancel and extend campaigns, drain and ban workers, amid other faults
  kSearches,  // a search that decides by results, all faults, and people who pause it
  kRestores   // the store is replaced by an older copy, or by a new one, while workers train on
};

inline constexpr std::uint8_t kFamilies = 15;

// Rates of the faults: mean virtual time between two of a kind; 0: never.
struct FaultRates {
  Duration worker_crash{0};
  Duration worker_leave{0};
  Duration worker_freeze{0};  // SIGSTOP
  Duration worker_hang{0};    // of one of its training threads
  Duration worker_sleep{0};   // its machine is suspended
  Duration coordinator_crash{0};
  Duration coordinator_stall{0};
  Duration coordinator_sleep{0};
  Duration power_cut{0};  // of all machines
  Duration failed_commit{0};
  Duration failed_load{0};
  Duration broken_connection{0};
  Duration partition{0};
  Duration wide_partition{0};  // of all workers, in the same way
  Duration false_loss{0};      // the coordinator is told that a living peer is lost
  Duration clock_jump{0};      // of the wall clock
  Duration backup{0};          // the store is copied
  Duration restore{0};         // the last copy, or an empty store, takes its place
};

struct Scenario {
  std::uint64_t seed = 0;
  Family family = Family::kNoFaults;
  std::vector<const Experiment*> experiments;  // the second one is submitted later
  std::vector<int> slots;                      // one worker each
  int foreign_workers = 0;                     // that offer another device, so can train nothing
  Duration iteration_time{0};
  Duration faults_until{0};
  FaultRates rates;
  NetworkFaults network;
  CoreOptions core;
  std::vector<double> poison;  // policies with such a k0 kill their worker's process
  bool through_codec = false;
  bool stop_and_resume = false;
  bool orders = false;           // people give orders
  bool cancels_second = false;   // they cancel the second campaign
  std::string further_policies;  // they extend the first one by these when all is done; YAML
  Duration deadline{0};          // everything must have ended by then
};

Scenario make_scenario(Family family, std::uint64_t seed);

// Number `index` of a fixed pool of small experiments.
const Experiment& pooled_experiment(std::size_t index);
inline constexpr std::size_t kPooledExperiments = 48;

// Likewise of experiments whose searches decide by results.
const Experiment& searching_experiment(std::size_t index);
inline constexpr std::size_t kSearchingExperiments = 40;

std::string name_of(Family family);

}  // namespace lrtune::sim

// The whole cluster in one thread under virtual time: the real coordinator core, real worker cores,
// a network and a store with faults. A seed is a whole story; LRTUNE_SIM_SEED runs one of them
// again with its trace, LRTUNE_SIM_SEEDS says how many are tried.
#include <gtest/gtest.h>

#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "tests/support/sim/sim_cluster.h"

namespace lrtune::sim {
namespace {

constexpr std::size_t kTraceLines = 150;
constexpr std::uint64_t kEnoughSeeds = 100;  // to have met every fault of a family

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// What went wrong, or empty.
std::string failure_of(SimCluster& cluster) {
  try {
    cluster.run();
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

// Decisions are added to `made`, by code.
void run_seed(Family family, std::uint64_t seed, bool always_trace,
              std::map<std::string, std::int64_t>& made) {
  const Scenario scenario = make_scenario(family, seed);
  SimCluster cluster(scenario, always_trace ? kTraceLines : 0);
  const std::string failure = failure_of(cluster);
  for (const auto& [code, count] : cluster.store().decisions()) made[code] += count;
  if (failure.empty()) return;
  SimCluster again(scenario, kTraceLines);
  const std::string repeated = failure_of(again);
  ADD_FAILURE() << name_of(family) << ": " << failure << "\nLRTUNE_SIM_SEED=" << seed
                << " runs it again"
                << (repeated == failure ? "" : " (it then ended with: " + repeated + ")")
                << "\nThe last events:\n"
                << again.trace();
}

// Decisions that some seed of the family must have brought about.
std::vector<std::string> must_happen(Family family) {
  switch (family) {
    case Family::kNoFaults:
      return {"completed", "diverged", "target_reached", "verified"};
    case Family::kWorkerCrashes:
      return {"requeued", "refused"};
    case Family::kCoordinatorCrashes:
      return {"adopted", "requeued", "resumed"};
    case Family::kNetworkFaults:
    case Family::kPartitions:
      return {"requeued"};
    case Family::kFailedCommits:
      return {"adopted"};
    case Family::kAllTogether:
      return {"adopted", "requeued", "resumed"};
    case Family::kPoisonousJobs:
      return {"poisoned"};
    case Family::kSharedWork:
      return {"reused", "adopted", "requeued"};
    case Family::kStopAndResume:
      return {"stopped", "requeued"};
    case Family::kHungThreads:
      return {"requeued"};
  }
  return {};
}

class SimulatedCluster : public testing::TestWithParam<Family> {};

TEST_P(SimulatedCluster, KeepsItsPromises) {
  std::map<std::string, std::int64_t> made;
  if (std::getenv("LRTUNE_SIM_SEED") != nullptr) {
    run_seed(GetParam(), number_from("LRTUNE_SIM_SEED", 0), true, made);
    return;
  }
  const std::uint64_t seeds = number_from("LRTUNE_SIM_SEEDS", 200);
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    run_seed(GetParam(), seed, false, made);
  }
  if (seeds < kEnoughSeeds || HasFailure()) return;
  // A family that met none of its faults would show nothing.
  for (const std::string& code : must_happen(GetParam())) {
    EXPECT_GT(made[code], 0) << code << " never happened in " << seeds << " seeds";
  }
}

INSTANTIATE_TEST_SUITE_P(Family, SimulatedCluster,
                         testing::Values(Family::kNoFaults, Family::kWorkerCrashes,
                                         Family::kCoordinatorCrashes, Family::kNetworkFaults,
                                         Family::kPartitions, Family::kFailedCommits,
                                         Family::kAllTogether, Family::kPoisonousJobs,
                                         Family::kSharedWork, Family::kStopAndResume,
                                         Family::kHungThreads),
                         [](const auto& family) { return name_of(family.param); });

}  // namespace
}  // namespace lrtune::sim

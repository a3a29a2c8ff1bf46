// The whole cluster in one thread under virtual time: the real coordinator core, real worker cores,
// a network and a store with faults. A seed is a whole story; LRTUNE_SIM_SEED runs one of them
// again with its trace, LRTUNE_SIM_SEEDS says how many of a family are tried, from
// LRTUNE_SIM_FIRST on. The shards of a family share them, so that CTest can run them side by side.
#include <gtest/gtest.h>

#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <tuple>
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
    case Family::kPowerCuts:
      return {"requeued", "resumed"};
    case Family::kSearches:
      return {"proposed",      "promoted", "observed", "weighed",
              "stopped_early", "adopted",  "requeued", "resumed"};
    case Family::kRestores:
      return {"requeued"};
    case Family::kOrders:
      return {"paused", "resumed", "cancelled", "campaign_extended", "requeued"};
  }
  return {};
}

using FamilyShard = std::tuple<Family, std::uint64_t>;

class SimulatedCluster : public testing::TestWithParam<FamilyShard> {};

TEST_P(SimulatedCluster, KeepsItsPromises) {
  const auto [family, shard] = GetParam();
  std::map<std::string, std::int64_t> made;
  if (std::getenv("LRTUNE_SIM_SEED") != nullptr) {
    run_seed(family, number_from("LRTUNE_SIM_SEED", 0), true, made);
    return;
  }
  const std::uint64_t seeds = number_from("LRTUNE_SIM_SEEDS", LRTUNE_SIM_DEFAULT_SEEDS);
  const std::uint64_t first = number_from("LRTUNE_SIM_FIRST", 1);
  const std::uint64_t begin = first + seeds * shard / LRTUNE_SIM_SHARDS;
  const std::uint64_t end = first + seeds * (shard + 1) / LRTUNE_SIM_SHARDS;
  for (std::uint64_t seed = begin; seed < end && !HasFailure(); ++seed) {
    run_seed(family, seed, false, made);
  }
  if (end - begin < kEnoughSeeds || HasFailure()) return;
  // A family that met none of its faults would show nothing.
  for (const std::string& code : must_happen(family)) {
    EXPECT_GT(made[code], 0) << code << " never happened in " << end - begin << " seeds";
  }
}

std::vector<Family> all_families() {
  std::vector<Family> families;
  for (std::uint8_t i = 0; i < kFamilies; ++i) families.push_back(static_cast<Family>(i));
  return families;
}

INSTANTIATE_TEST_SUITE_P(Family, SimulatedCluster,
                         testing::Combine(testing::ValuesIn(all_families()),
                                          testing::Range<std::uint64_t>(0, LRTUNE_SIM_SHARDS)),
                         [](const auto& shard) {
                           return fmt::format("{}_{}", name_of(std::get<0>(shard.param)),
                                              std::get<1>(shard.param) + 1);
                         });

}  // namespace
}  // namespace lrtune::sim

// One program for each file of planted/: a core with that bug, and the simulated cluster that must
// find it. cluster_test is the counterpart: the same search finds nothing in the right core.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <exception>
#include <string>

#include "tests/support/sim/sim_cluster.h"

namespace lrtune::sim {

extern const char* const kPlantedBug;  // in the broken copy

namespace {

constexpr std::uint64_t kMostSeeds = 300;  // of each family

// What went wrong, or empty.
std::string violation_in(const Scenario& scenario) {
  try {
    SimCluster(scenario, 0).run();
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

TEST(PlantedBug, IsFound) {
  std::uint64_t runs = 0;
  for (std::uint64_t seed = 1; seed <= kMostSeeds; ++seed) {
    for (std::uint8_t i = 0; i < kFamilies; ++i) {
      const auto family = static_cast<Family>(i);
      ++runs;
      const std::string violation = violation_in(make_scenario(family, seed));
      if (violation.empty()) continue;
      fmt::print("{}\n  found by simulation {}, {} with seed {}: {}\n", kPlantedBug, runs,
                 name_of(family), seed, violation);
      return;
    }
  }
  FAIL() << kPlantedBug << "\nwas not found in " << runs << " simulations";
}

}  // namespace
}  // namespace lrtune::sim

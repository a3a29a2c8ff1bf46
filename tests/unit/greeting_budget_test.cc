// What keeps a peer from greeting without end.
#include <gtest/gtest.h>

#include <chrono>

#include "coordinator/greeting_budget.h"

namespace lrtune {
namespace {

using std::chrono::seconds;

TEST(GreetingBudget, AWorkerThatGreetedThroughALongStallIsHeard) {
  GreetingBudget budget;
  const SteadyTime now{seconds(1000)};
  for (int i = 0; i < 1800; ++i) EXPECT_TRUE(budget.pays("a", 400, now)) << i;
}

TEST(GreetingBudget, AFloodEndsAndIsHeardAgainLater) {
  GreetingBudget budget;
  SteadyTime now{seconds(1000)};
  int heard = 0;
  while (budget.pays("a", 6'900, now)) ++heard;
  EXPECT_EQ(heard, 142);
  EXPECT_TRUE(budget.pays("b", 6'900, now)) << "another peer";
  EXPECT_FALSE(budget.pays("a", 6'900, now));
  now += seconds(1);
  EXPECT_TRUE(budget.pays("a", 6'900, now));
}

TEST(GreetingBudget, RemembersManyPeersAndNotMore) {
  GreetingBudget budget;
  SteadyTime now{seconds(1000)};
  while (budget.pays("a", 6'900, now)) {
  }
  for (int i = 0; i < 70'000; ++i) EXPECT_TRUE(budget.pays(std::to_string(i), 0, now));
}

}  // namespace
}  // namespace lrtune

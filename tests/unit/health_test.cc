#include "coordinator/operations/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lrtune {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class HealthTest : public testing::Test {
 protected:
  Health::Time now_{seconds(1000)};
  Health health_{seconds(30), [this] { return now_; }};
};

TEST_F(HealthTest, LivesAndIsNotReadyWhileItStarts) {
  now_ += std::chrono::hours(1);  // a large store is migrated
  EXPECT_TRUE(health_.live().good);
  EXPECT_FALSE(health_.ready().good);
}

TEST_F(HealthTest, IsReadyOnceTheStoreIsRead) {
  health_.loading();
  EXPECT_TRUE(health_.live().good);
  EXPECT_FALSE(health_.ready().good);
  EXPECT_THAT(health_.ready().words, HasSubstr("reads the store"));
  health_.loaded();
  EXPECT_TRUE(health_.ready().good);
}

TEST_F(HealthTest, ALoopThatStallsIsNeitherAliveNorReadyUntilItTurnsAgain) {
  health_.loaded();
  now_ += seconds(30);
  EXPECT_TRUE(health_.live().good);
  now_ += milliseconds(1);
  EXPECT_FALSE(health_.live().good);
  EXPECT_FALSE(health_.ready().good);
  EXPECT_EQ(health_.live().words,
            "the coordinator's loop has not turned for 30.0 s (at most 30.0)");
  EXPECT_DOUBLE_EQ(health_.since_turn().count(), 30.001);
  health_.turned();
  EXPECT_TRUE(health_.live().good);
  EXPECT_TRUE(health_.ready().good);
}

TEST_F(HealthTest, AFailedCommitTakesReadinessUntilOneWorks) {
  health_.loaded();
  health_.commits(false);
  EXPECT_FALSE(health_.ready().good);
  EXPECT_TRUE(health_.live().good);
  health_.loading();
  health_.loaded();
  EXPECT_FALSE(health_.ready().good);
  health_.commits(true);
  EXPECT_TRUE(health_.ready().good);
}

TEST_F(HealthTest, IsNotReadyWhileItStops) {
  health_.loaded();
  health_.stopping();
  EXPECT_FALSE(health_.ready().good);
  EXPECT_TRUE(health_.live().good);
}

}  // namespace
}  // namespace lrtune

// Who may be on a device beside whom.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "common/random.h"
#include "worker/training/memory_gate.h"

namespace lrtune {
namespace {

constexpr std::int64_t kGb = 1'000'000'000;

class MemoryAdmissionTest : public ::testing::Test {
 protected:
  // Whether it may enter now; if not it waits no longer.
  bool enters(const std::string& key) {
    const auto ticket = admission_.ask(sha256(key));
    const bool inside = admission_.enter(ticket, free_);
    if (!inside) admission_.withdraw(ticket);
    return inside;
  }
  void leave(const std::string& key) { admission_.leave(sha256(key)); }
  // A run of the key was there, alone, and took so many bytes.
  void learn(const std::string& key, std::int64_t bytes) {
    ASSERT_TRUE(enters(key));
    admission_.measured(sha256(key), bytes);
    leave(key);
  }

  std::optional<std::int64_t> free_ = 80 * kGb;
  MemoryAdmission admission_;
};

TEST_F(MemoryAdmissionTest, ARunOfANewKeyIsAloneUntilItWasMeasured) {
  learn("small", kGb);
  EXPECT_TRUE(enters("new"));
  EXPECT_FALSE(enters("small"));
  EXPECT_FALSE(enters("other"));
  admission_.measured(sha256("new"), 2 * kGb);
  EXPECT_TRUE(enters("small"));
  EXPECT_TRUE(enters("new")) << "the second of its key is known";
  EXPECT_FALSE(enters("other")) << "nobody knows what it takes";
}

TEST_F(MemoryAdmissionTest, AsManyEnterAsFitWithATenthMoreAndTheReserve) {
  learn("ten", 10 * kGb);
  int inside = 0;
  while (enters("ten")) ++inside;
  EXPECT_EQ(inside, 7) << "8 x 11 GB are more than 80";
  free_ = 3 * kGb;  // what they took: it is not what was free when the device was empty
  leave("ten");
  EXPECT_TRUE(enters("ten"));
  for (int i = 0; i < 7; ++i) leave("ten");
  free_ = 40 * kGb;  // another process has come
  inside = 0;
  while (enters("ten")) ++inside;
  EXPECT_EQ(inside, 3);
}

TEST_F(MemoryAdmissionTest, WhatIsLargerThanTheDeviceMayTryAlone) {
  learn("huge", 100 * kGb);
  learn("small", kGb);
  EXPECT_TRUE(enters("small"));
  EXPECT_FALSE(enters("huge"));
  leave("small");
  EXPECT_TRUE(enters("huge"));
  EXPECT_FALSE(enters("small"));
}

TEST_F(MemoryAdmissionTest, WhatRanOutOfMemoryIsAloneUntilItEndedWell) {
  learn("a", kGb);
  learn("b", kGb);
  admission_.ran_out(sha256("a"));
  EXPECT_TRUE(enters("b"));
  EXPECT_FALSE(enters("a"));
  leave("b");
  EXPECT_TRUE(enters("a"));
  EXPECT_FALSE(enters("b"));
  admission_.ended_well(sha256("a"));
  leave("a");
  EXPECT_TRUE(enters("b"));
  EXPECT_TRUE(enters("a"));
}

TEST_F(MemoryAdmissionTest, TheHighestMeasuredNeedCounts) {
  learn("a", 30 * kGb);
  learn("a", 10 * kGb);
  EXPECT_TRUE(enters("a"));
  EXPECT_TRUE(enters("a"));
  EXPECT_FALSE(enters("a"));
}

TEST_F(MemoryAdmissionTest, WithoutALimitEverybodyEnters) {
  free_ = std::nullopt;
  admission_.ran_out(sha256("a"));
  for (const char* key : {"a", "b", "c", "a"}) EXPECT_TRUE(enters(key));
  EXPECT_FALSE(admission_.unmeasured(sha256("b")));
}

// Small runs that came later would keep a large one out for ever.
TEST_F(MemoryAdmissionTest, NobodyOvertakes) {
  learn("large", 75 * kGb);
  learn("small", kGb);
  EXPECT_TRUE(enters("small"));
  const auto large = admission_.ask(sha256("large"));
  const auto small = admission_.ask(sha256("small"));
  EXPECT_FALSE(admission_.enter(large, free_));
  EXPECT_FALSE(admission_.enter(small, free_));
  leave("small");
  EXPECT_FALSE(admission_.enter(small, free_));
  EXPECT_TRUE(admission_.enter(large, free_));
  EXPECT_FALSE(admission_.enter(small, free_));
  leave("large");
  EXPECT_TRUE(admission_.enter(small, free_));
}

TEST_F(MemoryAdmissionTest, WhoeverAsksEntersInTheEnd) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    MemoryAdmission admission;
    std::uint64_t draw = 0;
    const auto below = [&](std::uint64_t end) { return random_bits("gate", seed, draw++) % end; };
    const auto key = [](std::uint64_t number) { return sha256(std::to_string(number)); };
    std::vector<std::pair<MemoryAdmission::Ticket, Digest>> waiting;
    std::vector<Digest> inside;
    int entered = 0;
    for (int asked = 0; asked < 40 || !waiting.empty();) {
      if (asked < 40 && below(2) == 0) {
        const Digest one = key(below(5));
        waiting.emplace_back(admission.ask(one), one);
        ++asked;
      }
      const auto before = waiting.size();
      std::erase_if(waiting, [&](const auto& entry) {
        if (!admission.enter(entry.first, 50 * kGb)) return false;
        inside.push_back(entry.second);
        ++entered;
        return true;
      });
      if (inside.empty() || (waiting.size() < before && below(2) == 0)) continue;
      const auto who = inside.begin() + static_cast<std::ptrdiff_t>(below(inside.size()));
      if (admission.unmeasured(*who)) {
        ASSERT_EQ(inside.size(), 1U);
        admission.measured(*who, static_cast<std::int64_t>(below(60)) * kGb);
      }
      if (below(5) == 0) admission.ran_out(*who);
      if (below(2) == 0) admission.ended_well(*who);
      admission.leave(*who);
      inside.erase(who);
    }
    EXPECT_EQ(entered, 40);
  }
}

TEST(MemoryGateTest, ThreadsWaitForTheirPlaceAndAllGetOne) {
  const std::atomic<bool> stop = false;
  MemoryGate gate([] { return std::optional(10 * kGb); });
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int run = 0; run < 20; ++run) {
        auto place = gate.enter(sha256("same"), stop);
        ASSERT_TRUE(place);
        const int now = ++inside;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        if (place->unmeasured()) place->measured(4 * kGb);
        place->ended_well();
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 2) << "three times 4.4 GB are more than 10";
}

TEST(MemoryGateTest, AStopEndsTheWait) {
  const std::atomic<bool> go_on = false;
  const std::atomic<bool> stop = true;
  MemoryGate gate([] { return std::optional(10 * kGb); });
  auto first = gate.enter(sha256("a"), go_on);
  ASSERT_TRUE(first);
  EXPECT_FALSE(gate.enter(sha256("b"), stop));
  EXPECT_TRUE(first->unmeasured());
}

}  // namespace
}  // namespace lrtune

#include "coordinator/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using wire::SendStatus;

class OutboxTest : public testing::Test {
 protected:
  static wire::Frame frame(std::uint8_t mark, std::size_t bytes = 1) {
    return wire::Frame(bytes, mark);
  }

  SendStatus status_ = SendStatus::kSent;
  std::vector<int> sent_;
  Outbox outbox_{[this](const PeerId&, std::span<const std::uint8_t> bytes) {
                   if (status_ == SendStatus::kSent) sent_.push_back(bytes[0]);
                   return status_;
                 },
                 100};
};

TEST_F(OutboxTest, SendsAtOnceWhileThePeerReads) {
  outbox_.send("a", frame(1));
  EXPECT_THAT(sent_, ElementsAre(1));
  EXPECT_FALSE(outbox_.waiting());
}

TEST_F(OutboxTest, KeepsTheOrderOfWhatWaits) {
  status_ = SendStatus::kFull;
  outbox_.send("a", frame(1));
  status_ = SendStatus::kSent;
  outbox_.send("a", frame(2));
  EXPECT_THAT(sent_, IsEmpty()) << "the second may not overtake the first";
  outbox_.flush();
  EXPECT_THAT(sent_, ElementsAre(1, 2));
  EXPECT_FALSE(outbox_.waiting());
  EXPECT_THAT(outbox_.take_lost(), IsEmpty());
}

TEST_F(OutboxTest, APeerThatDoesNotReadIsLostAtTheLimit) {
  status_ = SendStatus::kFull;
  outbox_.send("a", frame(1, 60));
  outbox_.send("b", frame(2, 60));
  outbox_.send("a", frame(3, 40));
  EXPECT_THAT(outbox_.take_lost(), IsEmpty());
  outbox_.send("a", frame(4, 1));
  const auto lost = outbox_.take_lost();
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].peer, "a");
  EXPECT_EQ(lost[0].reason, "it does not read: 100 bytes wait for it");
  status_ = SendStatus::kSent;
  outbox_.flush();
  EXPECT_THAT(sent_, ElementsAre(2)) << "the other peer loses nothing";
}

TEST_F(OutboxTest, APeerThatIsGoneIsLost) {
  status_ = SendStatus::kFull;
  outbox_.send("a", frame(1));
  status_ = SendStatus::kNobody;
  outbox_.flush();
  outbox_.send("b", frame(2));
  const auto lost = outbox_.take_lost();
  ASSERT_EQ(lost.size(), 2U);
  EXPECT_EQ(lost[0].peer, "a");
  EXPECT_EQ(lost[1].peer, "b");
  EXPECT_EQ(lost[1].reason, "its connection is gone");
  EXPECT_FALSE(outbox_.waiting());
}

}  // namespace
}  // namespace lrtune

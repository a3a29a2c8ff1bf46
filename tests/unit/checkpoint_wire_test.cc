// The bytes of the checkpoint channel: every message there and back, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/random.h"
#include "common/wire/checkpoint_messages.h"

namespace lrtune::wire {
namespace {

using ::testing::HasSubstr;

const Digest kState = sha256("state");
const Digest kDigest = sha256("digest");

std::vector<ToCheckpointService> requests() {
  return {ListStates{kState},
          AskFile{kState},
          ReadChunk{.state = kState, .offset = std::int64_t{1} << 40, .count = 1 << 20},
          OfferFile{.state = kState, .digest = kDigest, .size = 123},
          WriteChunk{.state = kState, .digest = kDigest, .offset = 0, .bytes = {0, 255, 7}},
          UseStates{{kState, kDigest}},
          UseStates{},
          RemoveState{kState}};
}

std::vector<ToCheckpointClient> answers() {
  return {States{.states = {kState}, .more = true},
          File{.state = kState, .digest = kDigest, .size = 1},
          Missing{kState, "it is gone"},
          Chunk{.state = kState, .offset = 5, .bytes = Bytes(kMaxChunkBytes, 3)},
          Wanted{.state = kState, .digest = kDigest, .offset = 9, .credit = 4},
          Stored{kState},
          NotTaken{kState, "no room"},
          NotUnderstood{"what?"}};
}

TEST(CheckpointWireTest, EveryMessageComesBackAsItWas) {
  for (const auto& message : requests()) {
    const auto read = decode_to_checkpoint_service(encode(message));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, message) << message.index();
  }
  for (const auto& message : answers()) {
    const Frame frame = encode(message);
    EXPECT_LE(frame.size(), kMaxCheckpointFrameBytes);
    const auto read = decode_to_checkpoint_client(frame);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, message) << message.index();
  }
}

TEST(CheckpointWireTest, TheLongestListFitsIntoAFrame) {
  const ToCheckpointClient longest = States{std::vector<Digest>(kMaxListedStates, kState), true};
  EXPECT_LE(encode(longest).size(), kMaxCheckpointFrameBytes);
  EXPECT_TRUE(decode_to_checkpoint_client(encode(longest)));
}

TEST(CheckpointWireTest, AnswersAreNoRequests) {
  for (const auto& message : answers()) EXPECT_FALSE(decode_to_checkpoint_service(encode(message)));
  for (const auto& message : requests()) EXPECT_FALSE(decode_to_checkpoint_client(encode(message)));
}

TEST(CheckpointWireTest, CutAndChangedFramesAreRefusedOrRead) {
  int refused = 0;
  for (const auto& message : requests()) {
    const Frame frame = encode(message);
    for (std::size_t length = 0; length < frame.size(); ++length) {
      EXPECT_FALSE(decode_to_checkpoint_service(std::span(frame).first(length))) << length;
    }
    for (std::uint64_t i = 0; i < 300; ++i) {
      Frame changed = frame;
      const auto bits = random_bits("changed byte", message.index(), i);
      changed[bits % frame.size()] = static_cast<std::uint8_t>(bits >> 32U);
      if (!decode_to_checkpoint_service(changed)) ++refused;
    }
  }
  EXPECT_GT(refused, 100);  // the others changed a digest or a number
}

Frame frame_of(const nlohmann::json& json) { return nlohmann::json::to_msgpack(json); }

std::string error_of(const nlohmann::json& json) {
  const auto read = decode_to_checkpoint_service(frame_of(json));
  return read ? "" : read.error().message;
}

TEST(CheckpointWireTest, ErrorsNameWhatIsWrong) {
  using nlohmann::json;
  const json state = json::binary(Bytes(32, 1));
  EXPECT_THAT(error_of({2, "ask", {{"state", state}}}), HasSubstr("version 2"));
  EXPECT_THAT(error_of({1, "fetch", {{"state", state}}}), HasSubstr("no message 'fetch'"));
  EXPECT_THAT(error_of({1, "ask", json::object()}), HasSubstr("'state' is missing"));
  EXPECT_THAT(error_of({1, "ask", {{"state", state}, {"more", 1}}}), HasSubstr("'more' is not"));
  EXPECT_THAT(error_of({1, "ask", {{"state", json::binary(Bytes(31, 1))}}}),
              HasSubstr("32 bytes of binary"));
  EXPECT_THAT(error_of({1, "read", {{"state", state}, {"offset", -1}, {"count", 1}}}),
              HasSubstr("'offset' must be"));
  EXPECT_THAT(error_of({1, "read", {{"state", state}, {"offset", 0}, {"count", 1 << 21}}}),
              HasSubstr("'count' must be"));
  EXPECT_THAT(error_of({1, "use", {{"states", json::binary(Bytes(33, 1))}}}),
              HasSubstr("32 bytes each"));
  EXPECT_THAT(decode_to_checkpoint_service(Bytes(kMaxCheckpointFrameBytes + 1, 0)).error().message,
              HasSubstr("at most"));
}

}  // namespace
}  // namespace lrtune::wire

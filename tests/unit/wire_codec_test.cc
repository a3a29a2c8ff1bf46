// The codec: every message there and back, the golden frames of the protocol's version, limits and
// order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/policy/policy_json.h"
#include "common/wire/bodies.h"
#include "common/wire/codec.h"
#include "common/wire/frequent.h"
#include "common/wire/utf8.h"
#include "tests/support/wire_samples.h"

namespace lrtune::wire {
namespace {

// The largest policy that experiments may have, each number as wide as numbers get.
Policy largest_policy() {
  constexpr std::int64_t kWide = std::int64_t{1} << 40;
  nlohmann::json boundaries;
  for (std::size_t i = 0; i < kMostBoundaries; ++i) {
    boundaries.push_back(kWide + static_cast<std::int64_t>(i));
  }
  nlohmann::json segments;
  for (std::size_t i = 0; i < kMostSegments; ++i) {
    nlohmann::json segment = {{"function", "sinexp"},
                              {"k0", 1.0 / 3},
                              {"k1", 2.0 / 3},
                              {"gamma", 1.0 / 7},
                              {"l", kWide},
                              {"from_t", kWide},
                              {"until", kWide + static_cast<std::int64_t>(i)}};
    if (i == 0) {
      segment["function"] = "nstep";
      segment["l"] = boundaries;
      segment.erase("k1");
    }
    segments.push_back(std::move(segment));
  }
  return policy_from_json({{"segments", std::move(segments)}}, {}).value();
}

using ::testing::HasSubstr;
using testing::samples_from_coordinator;
using testing::samples_to_coordinator;

template <typename Message>
Frame only_frame(const std::vector<Message>& messages) {
  const auto frames = encode(std::span<const Message>(messages));
  if (!frames || frames->size() != 1) {
    ADD_FAILURE() << (frames ? "not one frame" : frames.error().message);
    return {};
  }
  return frames->front();
}

std::string hex(const Frame& frame) {
  std::ostringstream text;
  for (const std::uint8_t byte : frame) {
    text << "0123456789abcdef"[byte >> 4U] << "0123456789abcdef"[byte & 15U];
  }
  return text.str();
}

std::string golden(const std::string& name) {
  std::ifstream file(LRTUNE_FIXTURES "/wire/v3/" + name + ".hex");
  std::string text;
  std::string line;
  while (std::getline(file, line)) text += line;
  return text;
}

Frame frame_of_json(const nlohmann::json& json) { return nlohmann::json::to_msgpack(json); }

// Bug: a policy of some 13,000 boundaries or 1,000 segments fitted in no frame.
TEST(WireCodec, TheLargestPolicyFitsInAFrame) {
  Assign assign;
  for (const auto& sample : samples_from_coordinator()) {
    if (const auto* one = std::get_if<Assign>(&sample.message)) assign = *one;
  }
  assign.policy = largest_policy();
  // Whatever else is as long as it may be.
  assign.identity.train.dataset.path = std::string(4096, 'x');
  assign.identity.train.model = {.name = kTorchscript, .file = std::string(4096, 'x')};
  assign.identity.train.input.mean = std::vector<double>(16, 1.0 / 3);
  assign.identity.train.input.deviation = std::vector<double>(16, 1.0 / 3);
  assign.identity.numerics.backend = std::string(200, 'x');
  assign.identity.numerics.instruction_set = std::string(200, 'x');
  EXPECT_GT(only_frame<FromCoordinator>({assign}).size(), std::size_t{40'000});
}

TEST(WireCodec, EveryMessageToTheCoordinatorComesBackEqual) {
  for (const auto& [name, message] : samples_to_coordinator()) {
    const auto decoded = decode_to_coordinator(only_frame<ToCoordinator>({message}));
    ASSERT_TRUE(decoded) << name << ": " << decoded.error().message;
    ASSERT_EQ(decoded->size(), 1U) << name;
    EXPECT_EQ(decoded->front(), message) << name;
  }
}

TEST(WireCodec, EveryMessageToAWorkerComesBackEqual) {
  for (const auto& [name, message] : samples_from_coordinator()) {
    const auto decoded = decode_from_coordinator(only_frame<FromCoordinator>({message}));
    ASSERT_TRUE(decoded) << name << ": " << decoded.error().message;
    ASSERT_EQ(decoded->size(), 1U) << name;
    EXPECT_EQ(decoded->front(), message) << name;
  }
}

// The frequent messages are written and read without a tree; both ways must agree on every value.
template <typename Message>
void expect_as_by_tree(const Message& message) {
  Frame direct;
  ASSERT_TRUE(append_frequent(message, direct));
  const auto [kind, body] = std::visit(
      [](const auto& m) { return std::pair(kKind<std::decay_t<decltype(m)>>, body_of(m)); },
      message);
  EXPECT_EQ(hex(direct), hex(frame_of_json(nlohmann::json::array({kind, body}))));
}

std::vector<double> edge_numbers() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {0.0,   -0.0,      0.1,  0.5,   1.0,          1e-7,   1e30,
          1e300, kInfinity, -1.5, -1e39, 3.4028235e38, 3.5e38, std::nextafter(1.0, 2.0)};
}

TEST(WireCodec, FrequentMessagesAreTheSameBytesWithAndWithoutATree) {
  for (const std::int64_t number :
       {1LL,      127LL,    128LL,         255LL,         256LL,
        65535LL,  65536LL,  4294967295LL,  4294967296LL,  std::numeric_limits<long long>::max(),
        -1LL,     -32LL,    -33LL,         -128LL,        -129LL,
        -32768LL, -32769LL, -2147483648LL, -2147483649LL, std::numeric_limits<long long>::min()}) {
    expect_as_by_tree(ToCoordinator(Started{JobId{number}, number}));
    expect_as_by_tree(ToCoordinator(Progress{JobId{number}, number, number}));
    expect_as_by_tree(FromCoordinator(Acknowledge{JobId{number}, number, number}));
  }
  for (const std::size_t length : {0U, 31U, 32U, 255U, 256U, 4096U, 5000U}) {
    Outcome outcome{OutcomeKind::kFailed, 3, sha256("state"), std::string(length, 'x') + "\xff"};
    expect_as_by_tree(ToCoordinator(Finished{JobId{1}, 2, 3, outcome}));
  }
  for (const double number : edge_numbers()) {
    MetricPoint point{.iteration = 7, .state = sha256("state"), .learning_rate = number};
    point.train.loss = point.evaluated.top1 = point.train_seconds = number;
    point.evaluated.confidence = Confidence{number, 0.5, number, 12};
    expect_as_by_tree(ToCoordinator(Measured{JobId{1}, 2, 3, point}));
  }
}

// Every LR function as the only one of a policy, and policies of several.
std::vector<Policy> all_kinds_of_policies() {
  std::vector<Policy> policies;
  for (const LrFunctionKind kind : all_lr_functions()) {
    LrFunction function{.kind = kind, .k0 = 0.1, .k1 = 0.25, .gamma = 0.9, .p = 2, .l = 300};
    if (kind == LrFunctionKind::kNstep) function.boundaries = {10, 200, 70'000};
    const auto json = to_json(Policy{{Segment{.function = function}}});
    policies.push_back(policy_from_json(json, {}).value());
  }
  policies.push_back(policies.front());
  policies.back().segments.front().until = 1000;
  policies.push_back(policies.back());
  policies.back().segments.push_back({.function = {.k0 = 0.5}, .until = 2000, .from_t = 5});
  return policies;
}

TEST(WireCodec, AssignmentsAreTheSameBytesAndValuesWithAndWithoutATree) {
  Assign assign = testing::sample_assign();
  for (const Policy& policy : all_kinds_of_policies()) {
    assign.policy = policy;
    for (const int threads : {1, 2}) {
      assign.identity.numerics.threads = threads;
      expect_as_by_tree(FromCoordinator(assign));
      const Frame frame = only_frame<FromCoordinator>({assign});
      for (int time = 0; time < 2; ++time) {  // the second time the documents are known
        const auto decoded = decode_from_coordinator(frame);
        ASSERT_TRUE(decoded) << decoded.error().message;
        EXPECT_EQ(decoded->at(0), FromCoordinator(assign));
      }
    }
  }
}

// What the tree refuses must not come in without it.
TEST(WireCodec, AFrequentMessageThatBreaksARuleIsRefused) {
  const auto refused = [](const ToCoordinator& message) {
    return !decode_to_coordinator(only_frame<ToCoordinator>({message}));
  };
  EXPECT_TRUE(refused(Started{JobId{0}, 1}));
  EXPECT_TRUE(refused(Started{JobId{1}, -1}));
  EXPECT_TRUE(refused(Progress{JobId{1}, 1, -1}));
  EXPECT_TRUE(refused(Finished{JobId{1}, 1, 0, {}}));
  Assign assign = testing::sample_assign();
  const auto assigned = [&] {
    return decode_from_coordinator(only_frame<FromCoordinator>({assign})).has_value();
  };
  ASSERT_TRUE(assigned());
  assign.policy.segments = {Segment{.function = {.k0 = 0.1}}};
  EXPECT_TRUE(assigned());
  assign.policy.segments[0].function.k0 = -0.1;
  EXPECT_FALSE(assigned());
  assign.policy.segments[0].function.k0 = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(assigned());
  assign.policy.segments[0].function = {.kind = LrFunctionKind::kStep, .k0 = 0.1, .gamma = 0};
  EXPECT_FALSE(assigned());
  assign.policy.segments[0].function = {.kind = LrFunctionKind::kSin, .k0 = 0.1, .l = 0};
  EXPECT_FALSE(assigned());
}

// A change of these bytes is a change of the protocol: it needs a new version and new golden frames
// beside these.
TEST(WireCodec, GoldenFramesOfVersionThreeAreWrittenAndRead) {
  ASSERT_EQ(kProtocolVersion, 3);
  for (const auto& [name, message] : samples_to_coordinator()) {
    EXPECT_EQ(hex(only_frame<ToCoordinator>({message})), golden("to_coordinator_" + name)) << name;
  }
  for (const auto& [name, message] : samples_from_coordinator()) {
    EXPECT_EQ(hex(only_frame<FromCoordinator>({message})), golden("to_worker_" + name)) << name;
  }
}

TEST(WireCodec, MessagesOfOneTurnShareAFrameInOrder) {
  std::vector<ToCoordinator> messages;
  for (const auto& sample : samples_to_coordinator()) messages.push_back(sample.message);
  const auto decoded = decode_to_coordinator(only_frame(messages));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, messages);
}

TEST(WireCodec, ManyMessagesAreSplitIntoFramesThatAreFullAndInOrder) {
  std::vector<ToCoordinator> messages;
  for (std::int64_t i = 1; i <= 20'000; ++i) messages.push_back(Progress{JobId{i}, 1, i});
  const auto frames = encode(std::span<const ToCoordinator>(messages));
  ASSERT_TRUE(frames);
  EXPECT_GT(frames->size(), 1U);
  std::vector<ToCoordinator> received;
  for (const Frame& frame : *frames) {
    EXPECT_LE(frame.size(), kMaxFrameBytes);
    if (&frame != &frames->back()) {
      EXPECT_GT(frame.size(), kMaxFrameBytes - 100);
    }
    const auto decoded = decode_to_coordinator(frame);
    ASSERT_TRUE(decoded) << decoded.error().message;
    received.insert(received.end(), decoded->begin(), decoded->end());
  }
  EXPECT_EQ(received, messages);
}

TEST(WireCodec, NothingToSendIsNoFrame) {
  const auto frames = encode(std::span<const FromCoordinator>());
  ASSERT_TRUE(frames);
  EXPECT_TRUE(frames->empty());
}

TEST(WireCodec, AMessageLargerThanAFrameIsAnErrorThatNamesIt) {
  Hello hello{"w", "p", 1, {"libtorch 2.15.0", "cpu", "AVX2", 1, "channels_last"}, {}};
  for (std::int64_t i = 1; i < 30'000; ++i) hello.held.push_back({JobId{i}, 1});
  const std::vector<ToCoordinator> messages{hello};
  const auto frames = encode(std::span<const ToCoordinator>(messages));
  ASSERT_FALSE(frames);
  EXPECT_THAT(frames.error().message, HasSubstr("a hello message of"));
}

TEST(WireCodec, DoublesKeepTheirBits) {
  using Limits = std::numeric_limits<double>;
  const double nan_with_payload = std::bit_cast<double>(0x7FF8'0000'DEAD'BEEFULL);
  for (const double value : {0.0, -0.0, 0.1, 1.0 / 3, 1e-320, Limits::max(), Limits::infinity(),
                             -Limits::infinity(), nan_with_payload, 16'777'217.0, 0.5}) {
    MetricPoint point;
    point.train.loss = value;
    point.learning_rate = value;
    const auto decoded =
        decode_to_coordinator(only_frame<ToCoordinator>({Measured{JobId{1}, 1, 1, point}}));
    ASSERT_TRUE(decoded) << decoded.error().message;
    const MetricPoint& read = std::get<Measured>(decoded->front()).point;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(read.train.loss), std::bit_cast<std::uint64_t>(value));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(read.learning_rate),
              std::bit_cast<std::uint64_t>(value));
  }
}

TEST(WireCodec, TextsForPeopleAreRepairedAndCutBeforeTheyAreSent) {
  const auto decoded = decode_to_coordinator(
      only_frame<ToCoordinator>({Refused{JobId{1}, 1, "file \xFF" + std::string(100'000, 'x')}}));
  ASSERT_TRUE(decoded) << decoded.error().message;
  const std::string reason = std::get<Refused>(decoded->front()).reason;
  EXPECT_EQ(reason.size(), kMaxTextBytes);
  EXPECT_THAT(reason, ::testing::StartsWith("file \xEF\xBF\xBDxxx"));
  EXPECT_THAT(reason, ::testing::EndsWith("x..."));
}

TEST(WireCodec, APathThatIsNotUtf8IsAnErrorAtTheSender) {
  Survey survey{1, testing::sample_assign().identity.train};
  survey.train.dataset.path = "/data/\xFF";
  const std::vector<FromCoordinator> messages{survey};
  const auto frames = encode(std::span<const FromCoordinator>(messages));
  ASSERT_FALSE(frames);
  EXPECT_THAT(frames.error().message, HasSubstr("a survey message cannot be sent"));
}

TEST(WireCodec, AnotherVersionIsNamedAndNothingOfItIsDelivered) {
  const Frame frame = frame_of_json({1, {"hello", {{"anything", 1}}}});
  const auto decoded = decode_to_coordinator(frame);
  ASSERT_FALSE(decoded);
  EXPECT_THAT(decoded.error().message, HasSubstr("protocol version 1, this program version 3"));
  EXPECT_EQ(frame_version(frame).value(), 1);
}

TEST(WireCodec, TheVersionOfAFutureFrameIsReadWhateverFollows) {
  const Frame extension_behind_it{0x92, 0xCD, 0x01, 0x2C, 0xC7, 0x01};
  EXPECT_EQ(frame_version(extension_behind_it).value(), 300);
  for (const Frame& bad : {Frame{}, Frame{0x92}, Frame{0x80}, Frame{0x92, 0xFF}, Frame{0xDC, 0x00},
                           Frame{0x92, 0xCD, 0x01}, Frame{0x91, 0xA1, 'x'}}) {
    EXPECT_FALSE(frame_version(bad)) << hex(bad);
  }
}

TEST(WireCodec, RejectedOfAnotherVersionIsUnderstood) {
  const auto decoded =
      decode_from_coordinator(frame_of_json({9, {"rejected", {{"reason", "too old"}}}}));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(std::get<Rejected>(decoded->front()).reason, "too old");
  EXPECT_FALSE(decode_from_coordinator(frame_of_json({9, {"shutdown", {{"reason", "x"}}}})));
}

TEST(Utf8, WellFormedAndNot) {
  EXPECT_TRUE(is_utf8("plain, \xC3\xA9, \xE2\x82\xAC, \xF0\x9F\x98\x80"));
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xC3(", "\xFE"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_TRUE(is_utf8(repaired_text(bad, 100))) << bad;
  }
}

// Regression: a worker named with U+202E showed another one's name.
TEST(Utf8, NothingThatATerminalTurnsRoundIsPrintable) {
  for (const char* bad : {"\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xA8", "\xE2\x80\xAA",
                          "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x81\xA9", "\xC2\x85", "\x1B"}) {
    const std::string text = std::string("node") + bad + "1";
    EXPECT_FALSE(is_printable(text)) << text;
    EXPECT_EQ(printable_text(text), "node?1");
  }
  const std::string good = "\xE2\x80\x8D\xE2\x80\xA7\xE2\x80\xAF\xE2\x81\xA5\xE2\x81\xAA\xC2\xA0";
  EXPECT_TRUE(is_printable(good));
  EXPECT_EQ(printable_text(good), good);
}

TEST(Utf8, ARepairedTextIsCutBetweenCharacters) {
  EXPECT_EQ(repaired_text("abc", 3), "abc");
  EXPECT_EQ(repaired_text("abcd", 3), "...");
  EXPECT_EQ(repaired_text("\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC", 8), "\xE2\x82\xAC...");
  for (std::size_t most = 3; most < 20; ++most) {
    const std::string cut =
        repaired_text("\xF0\x9F\x98\x80 \xC3\xA9\xFF long enough to be cut", most);
    EXPECT_LE(cut.size(), most);
    EXPECT_TRUE(is_utf8(cut));
  }
}

}  // namespace
}  // namespace lrtune::wire

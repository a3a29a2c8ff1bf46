// The decoder against bytes that no encoder of ours would send: cut, changed, lying about lengths,
// too deep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "common/wire/codec.h"
#include "common/wire/structure.h"
#include "tests/support/wire_samples.h"

namespace lrtune::wire {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

struct Direction {
  std::string name;
  Frame frame;
  // True if the frame decodes; then what it decoded to was encoded and decoded again to the same.
  std::function<bool(std::span<const std::uint8_t>)> accepts;
};

template <typename Message>
bool accepted_and_stable(const Result<std::vector<Message>>& decoded,
                         Result<std::vector<Message>> (*decode)(std::span<const std::uint8_t>)) {
  if (!decoded) {
    EXPECT_FALSE(decoded.error().message.empty());
    return false;
  }
  const auto first = encode(std::span<const Message>(*decoded));
  EXPECT_TRUE(first);
  if (!first || first->size() != 1) return true;
  const auto again = decode(first->front());
  EXPECT_TRUE(again);
  // Bytes, not values: a NaN is not equal to itself.
  if (!again) return true;
  EXPECT_EQ(*encode(std::span<const Message>(*again)), *first);
  return true;
}

std::vector<Direction> all_samples() {
  std::vector<Direction> all;
  for (const auto& [name, message] : testing::samples_to_coordinator()) {
    const std::vector<ToCoordinator> one{message};
    all.push_back({name, encode(std::span<const ToCoordinator>(one))->front(), [](auto bytes) {
                     return accepted_and_stable(decode_to_coordinator(bytes),
                                                &decode_to_coordinator);
                   }});
  }
  for (const auto& [name, message] : testing::samples_from_coordinator()) {
    const std::vector<FromCoordinator> one{message};
    all.push_back({name, encode(std::span<const FromCoordinator>(one))->front(), [](auto bytes) {
                     return accepted_and_stable(decode_from_coordinator(bytes),
                                                &decode_from_coordinator);
                   }});
  }
  return all;
}

TEST(WireHostile, AFrameCutAtAnyByteIsRefused) {
  for (const Direction& sample : all_samples()) {
    ASSERT_TRUE(sample.accepts(sample.frame)) << sample.name;
    for (std::size_t length = 0; length < sample.frame.size(); ++length) {
      EXPECT_FALSE(sample.accepts(std::span(sample.frame).first(length)))
          << sample.name << " cut at " << length;
    }
  }
}

TEST(WireHostile, AFrameWithBytesBehindItIsRefused) {
  for (Direction& sample : all_samples()) {
    sample.frame.push_back(0xC0);
    EXPECT_FALSE(sample.accepts(sample.frame)) << sample.name;
  }
}

// A changed byte may give another valid message (a digit of a number); it must never crash, and
// what is accepted must be a message that can be sent on.
TEST(WireHostile, AnyByteChangedNeverCrashes) {
  for (Direction& sample : all_samples()) {
    int refused = 0;
    for (std::uint8_t& byte : sample.frame) {
      const std::uint8_t original = byte;
      for (const int flip : {0x01, 0x08, 0x20, 0x80, 0xFF}) {
        byte = static_cast<std::uint8_t>(original ^ flip);
        if (!sample.accepts(sample.frame)) ++refused;
      }
      byte = original;
    }
    EXPECT_GT(refused, 0) << sample.name;
  }
}

TEST(WireHostile, AnyHeaderByteInPlaceOfAnyByteNeverCrashes) {
  const Frame headers{0xC0, 0xC6, 0xCB, 0xCF, 0xD3, 0xDB, 0xDD, 0xDF};
  for (Direction& sample : all_samples()) {
    int refused = 0;
    for (std::uint8_t& byte : sample.frame) {
      const std::uint8_t original = byte;
      for (const std::uint8_t header : headers) {
        byte = header;
        if (!sample.accepts(sample.frame)) ++refused;
      }
      byte = original;
    }
    EXPECT_GT(refused, 0) << sample.name;
  }
}

TEST(WireHostile, RandomDamageNeverCrashes) {
  const auto samples = all_samples();
  int refused = 0;
  for (std::uint32_t seed = 0; seed < 10'000; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const Direction& sample = samples[random() % samples.size()];
    Frame frame = sample.frame;
    for (std::uint32_t changes = 1 + random() % 4; changes > 0 && !frame.empty(); --changes) {
      const auto at = frame.begin() + static_cast<std::ptrdiff_t>(random() % frame.size());
      switch (random() % 4) {
        case 0:
          *at = static_cast<std::uint8_t>(random());
          break;
        case 1:
          frame.erase(at);
          break;
        case 2:
          frame.insert(at, static_cast<std::uint8_t>(random()));
          break;
        default:
          std::rotate(frame.begin(), at, frame.end());
          break;
      }
    }
    if (!sample.accepts(frame)) ++refused;
  }
  EXPECT_GT(refused, 5'000);
}

TEST(WireHostile, RandomBytesAreRefused) {
  for (std::uint32_t seed = 0; seed < 5'000; ++seed) {
    std::mt19937 random(seed);
    Frame frame(random() % 200);
    for (std::uint8_t& byte : frame) byte = static_cast<std::uint8_t>(random());
    EXPECT_FALSE(decode_to_coordinator(frame)) << "seed " << seed;
    EXPECT_FALSE(decode_from_coordinator(frame)) << "seed " << seed;
  }
}

// The bug: nested arrays overflowed the stack of the MessagePack reader.
TEST(WireHostile, AFrameFullOfNestedArraysIsRefusedWithoutRecursion) {
  for (const std::uint8_t nest : Frame{0x91, 0x81, 0x92}) {
    Frame frame{0x92, kProtocolVersion};
    while (frame.size() + 2 <= kMaxFrameBytes) {
      frame.push_back(nest);
      if (nest == 0x81) frame.push_back(0xA0);  // the empty key
    }
    const auto decoded = decode_to_coordinator(frame);
    ASSERT_FALSE(decoded);
    EXPECT_THAT(decoded.error().message, HasSubstr("inside each other"));
  }
}

TEST(WireHostile, DepthIsCountedExactly) {
  const auto nested = [](int depth) {
    Frame frame(static_cast<std::size_t>(depth), 0x91);
    frame.push_back(0xC0);
    return frame;
  };
  EXPECT_TRUE(check_structure(nested(kMaxDepth)));
  EXPECT_FALSE(check_structure(nested(kMaxDepth + 1)));
}

TEST(WireHostile, AFrameLargerThanAllowedIsRefusedBeforeItIsLookedAt) {
  const auto decoded = decode_to_coordinator(Frame(kMaxFrameBytes + 1, 0xC1));
  ASSERT_FALSE(decoded);
  EXPECT_THAT(decoded.error().message, HasSubstr("at most 65536 bytes, not 65537"));
}

TEST(WireHostile, LengthsThatLieCostNoMemory) {
  const Frame headers{0xDB, 0xC6, 0xDD, 0xDF};  // text, binary, array, map of 2^32-1
  for (const std::uint8_t header : headers) {
    const Frame frame{0x92, kProtocolVersion, 0x92, 0xA5, 'h',  'e', 'l', 'l',
                      'o',  header,           0xFF, 0xFF, 0xFF, 0xFF};
    EXPECT_FALSE(decode_to_coordinator(frame)) << int{header};
  }
}

struct BadBody {
  const char* what;
  json message;
  const char* error;
};

TEST(WireHostile, BadBodiesAreNamed) {
  const json huge = std::uint64_t{1} << 63U;
  const std::vector<BadBody> cases = {
      {"unknown kind", {"dance", json::object()}, "no message 'dance'"},
      {"other direction", {"welcome", json::object()}, "no message 'welcome' in this direction"},
      {"kind is a number", {7, json::object()}, "[kind, body]"},
      {"three elements", {"heartbeat", json::object(), 1}, "[kind, body]"},
      {"body is a list", {"heartbeat", json::array()}, "must be a map"},
      {"unknown key", {"heartbeat", {{"x", 1}}}, "'x' is not a key of it"},
      {"missing key", {"started", {{"job", 1}}}, "'attempt' is missing"},
      {"job 0", {"started", {{"job", 0}, {"attempt", 1}}}, "'job' must be an integer from 1"},
      {"negative",
       {"started", {{"job", 1}, {"attempt", -1}}},
       "'attempt' must be an integer from 1"},
      {"fraction", {"started", {{"job", 1.5}, {"attempt", 1}}}, "'job' must be an integer"},
      {"text", {"started", {{"job", "1"}, {"attempt", 1}}}, "'job' must be an integer"},
      {"2^63", {"started", {{"job", huge}, {"attempt", 1}}}, "'job' must be an integer"},
      {"reason is a number",
       {"refused", {{"job", 1}, {"attempt", 1}, {"reason", 1}}},
       "'reason' must be a text"},
      {"neither facts nor error", {"surveyed", {{"survey", 1}}}, "'error' is missing"},
  };
  for (const BadBody& bad : cases) {
    const auto decoded =
        decode_to_coordinator(json::to_msgpack(json::array({kProtocolVersion, bad.message})));
    ASSERT_FALSE(decoded) << bad.what;
    EXPECT_THAT(decoded.error().message, HasSubstr(bad.error)) << bad.what;
  }
}

// Bug: a worker whose name or back end had 60,000 bytes was taken; what it was then to train fitted
// in no frame, and lists of workers had no end.
TEST(WireHostile, TextsAreBounded) {
  const auto decode = [](const json& message) {
    return decode_to_coordinator(json::to_msgpack(json::array({kProtocolVersion, message})));
  };
  const auto hello = [&](std::size_t worker, std::size_t process, std::size_t backend) {
    json numerics = to_json(testing::sample_assign().identity.numerics);
    numerics["backend"] = std::string(backend, 'b');
    return decode({"hello",
                   {{"worker", std::string(worker, 'w')},
                    {"process", std::string(process, 'p')},
                    {"slots", 1},
                    {"numerics", numerics},
                    {"held", json::array()}}});
  };
  EXPECT_TRUE(hello(200, 200, 200));
  EXPECT_THAT(hello(201, 1, 1).error().message,
              HasSubstr("hello: 'worker' must be a text of at most 200 bytes"));
  EXPECT_THAT(hello(1, 201, 1).error().message,
              HasSubstr("hello: 'process' must be a text of at most 200 bytes"));
  EXPECT_THAT(hello(1, 1, 201).error().message,
              HasSubstr("backend of numerics has 201 bytes; at most 200 are allowed"));
  const auto refused = [&](std::size_t bytes) {
    return decode({"refused", {{"job", 1}, {"attempt", 1}, {"reason", std::string(bytes, 'r')}}});
  };
  EXPECT_TRUE(refused(4096));
  EXPECT_THAT(refused(4097).error().message, HasSubstr("a text of at most 4096 bytes"));
  const auto submit = [&](std::size_t bytes) {
    return decode({"submit",
                   {{"request", 1},
                    {"file", "e.yaml"},
                    {"experiment", std::string(bytes, 'e')},
                    {"device", ""},
                    {"priority", 0}}});
  };
  EXPECT_TRUE(submit(kMaxExperimentBytes));
  EXPECT_THAT(submit(kMaxExperimentBytes + 1).error().message,
              HasSubstr("submit: 'experiment' must be a text of at most 60000 bytes"));
}

// Bug: what a peer called itself, or gave as a reason, was printed as it was: it could clear a
// terminal or rewrite a table.
TEST(WireHostile, ControlCharactersReachNoTerminal) {
  const auto decode = [](const json& message) {
    return decode_to_coordinator(json::to_msgpack(json::array({kProtocolVersion, message})));
  };
  const auto hello = [&](const std::string& worker, const std::string& backend) {
    json numerics = to_json(testing::sample_assign().identity.numerics);
    numerics["backend"] = backend;
    return decode({"hello",
                   {{"worker", worker},
                    {"process", "p"},
                    {"slots", 1},
                    {"numerics", numerics},
                    {"held", json::array()}}});
  };
  EXPECT_TRUE(
      hello("n\xC3\xB6"
            "de-1/cuda:0",
            "libtorch"));
  for (const std::string bad : {"", "a\x1B[2J", "a\nb", "a\x7F",
                                "a\xC2\x9B"
                                "2J"}) {
    const auto refused = hello(bad, "libtorch");
    ASSERT_FALSE(refused) << bad;
    EXPECT_THAT(refused.error().message,
                HasSubstr("hello: 'worker' must be a name of 1 to 200 bytes of UTF-8 without "
                          "control characters"));
  }
  EXPECT_FALSE(hello("a", "lib\x1B[2Jtorch"));
  const auto reason = decode(
      {"refused", {{"job", 1}, {"attempt", 1}, {"reason", "no\x1B[2J space\n\tleft\xC2\x9B"}}});
  ASSERT_TRUE(reason);
  EXPECT_EQ(std::get<Refused>(reason->front()).reason, "no?[2J space\n\tleft?");
}

// What a judgement says is kept, and shown to people.
TEST(WireHostile, AJudgementIsFlatFiniteAndPrintable) {
  const auto judged = [](const json& numbers) {
    const json body = {
        {"request", 1}, {"trial", 1}, {"judgement", "verdict"}, {"numbers", numbers}};
    const auto decoded =
        decode_to_coordinator(json::to_msgpack(json::array({kProtocolVersion, {"judge", body}})));
    return decoded ? std::string() : decoded.error().message;
  };
  EXPECT_EQ(judged({{"top1", 0.5}, {"others", 3}, {"best", "a"}, {"compare", true}}), "");
  EXPECT_THAT(judged({{"top1", json::array({1})}}), HasSubstr("must be flat"));
  EXPECT_THAT(judged({{"top1", json::binary({1})}}), HasSubstr("must be flat"));
  EXPECT_THAT(judged({{"best", "\x1b[2J"}}), HasSubstr("control characters"));
  EXPECT_THAT(judged({{"\x1b", 1}}), HasSubstr("control characters"));
  EXPECT_THAT(judged({{"top1", std::nan("")}}), HasSubstr("finite"));
  EXPECT_THAT(judged(json::array({1})), HasSubstr("must be a map"));
  EXPECT_EQ(judged({{"best", std::string(4096, 'a')}}), "");
  json large = json::object();
  for (int i = 0; i < 11; ++i) large["best" + std::to_string(i)] = std::string(4000, 'a');
  EXPECT_THAT(judged(large), HasSubstr("at most 40000 bytes"));
}

TEST(WireHostile, APriorityMayBeLeftOut) {
  const auto submit = [](const json& more) {
    json body = {{"request", 1}, {"file", "e.yaml"}, {"experiment", "e"}, {"device", ""}};
    body.update(more);
    return decode_to_coordinator(
        json::to_msgpack(json::array({kProtocolVersion, {"submit", body}})));
  };
  EXPECT_EQ(std::get<Submit>(submit(json::object()).value().front()).priority, std::nullopt);
  EXPECT_EQ(std::get<Submit>(submit({{"priority", -3}}).value().front()).priority, -3);
  EXPECT_FALSE(submit({{"priority", "high"}}));
  EXPECT_FALSE(submit({{"priority", 1}, {"unknown", 1}}));
}

TEST(WireHostile, AFrameWithoutAMessageIsRefused) {
  EXPECT_FALSE(decode_to_coordinator(Frame{0x91, kProtocolVersion}));
}

TEST(WireHostile, OneBadMessageRefusesTheWholeFrame) {
  const json frame = {
      kProtocolVersion, {"heartbeat", json::object()}, {"started", {{"job", 0}, {"attempt", 1}}}};
  EXPECT_FALSE(decode_to_coordinator(json::to_msgpack(frame)));
}

TEST(WireHostile, BadDigestsAreNamed) {
  json outcome = {
      {"kind", "completed"}, {"iteration", 1}, {"state", json::binary({1, 2, 3})}, {"message", ""}};
  const auto decode = [&] {
    return decode_to_coordinator(json::to_msgpack(
        {kProtocolVersion,
         {"finished", {{"job", 1}, {"attempt", 1}, {"sequence", 1}, {"outcome", outcome}}}}));
  };
  EXPECT_THAT(decode().error().message, HasSubstr("'state' must be 32 bytes of binary"));
  outcome["state"] = json::binary(std::vector<std::uint8_t>(32, 7));
  EXPECT_TRUE(decode());
  outcome["state"] = json::binary(std::vector<std::uint8_t>(32, 7), 5);  // an extension type
  EXPECT_THAT(decode().error().message, HasSubstr("extension types"));
  outcome["state"] = std::string(32, 'x');
  EXPECT_FALSE(decode());
}

TEST(WireHostile, RawBytesThatTheStructureForbids) {
  const auto error_of = [](const Frame& frame) {
    const auto checked = check_structure(frame);
    return checked ? std::string("none") : checked.error().message;
  };
  EXPECT_THAT(error_of({0x82, 0xA1, 'a', 0x01, 0xA1, 'a', 0x02}), HasSubstr("'a' is there twice"));
  EXPECT_THAT(error_of({0x81, 0x01, 0x02}), HasSubstr("a key must be a text"));
  EXPECT_THAT(error_of({0xA2, 0xC3, 0x28}), HasSubstr("not UTF-8"));
  EXPECT_THAT(error_of({0x81, 0xA1, 0xFF, 0x02}), HasSubstr("not UTF-8"));
  EXPECT_THAT(error_of({0xC1}), HasSubstr("extension types"));
  EXPECT_THAT(error_of({0xC0, 0xC0}), HasSubstr("goes on behind"));
  EXPECT_THAT(error_of({0xDE, 0x00, 0x41}), HasSubstr("at most 64 keys, not 65"));
  EXPECT_THAT(error_of({}), HasSubstr("ends within a value"));
  EXPECT_EQ(error_of({0x92, 0xA1, 'a', 0x80}), "none");
}

}  // namespace
}  // namespace lrtune::wire

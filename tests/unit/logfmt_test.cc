#include "common/logfmt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace lrtune {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// Reads a line as logfmt.h says it is written, and accepts nothing else.
Fields read_line(const std::string& line) {
  Fields fields;
  for (std::size_t at = 0; at < line.size();) {
    const auto equals = line.find('=', at);
    if (equals == std::string::npos) throw std::runtime_error("no '=' in: " + line.substr(at));
    const std::string key = line.substr(at, equals - at);
    std::size_t end = equals + 1;
    if (line[end] == '"') {
      do {
        end += line[end] == '\\' ? 2U : 1U;
      } while (line.at(end) != '"');
      ++end;
      const auto text = nlohmann::json::parse(line.substr(equals + 1, end - equals - 1));
      fields.emplace_back(key, text.get<std::string>());
    } else {
      end = std::min(line.find(' ', end), line.size());
      fields.emplace_back(key, line.substr(equals + 1, end - equals - 1));
    }
    if (end < line.size() && line[end] != ' ') throw std::runtime_error("junk: " + line);
    at = end + 1;
  }
  return fields;
}

TEST(Logfmt, PlainValuesStandAsTheyAre) {
  LogLine line("assigned");
  line.add("campaign", CampaignId{1}).add("trial", TrialId{3}).add("attempt", 2);
  line.add("seconds", 0.25).add("worker", "node-1.local/42");
  EXPECT_EQ(line.text(),
            "event=assigned campaign=1 trial=3 attempt=2 seconds=0.25 worker=node-1.local/42");
}

TEST(Logfmt, AnythingElseIsQuotedAndEscaped) {
  EXPECT_EQ(logfmt_value(""), R"("")");
  EXPECT_EQ(logfmt_value("two words"), R"("two words")");
  EXPECT_EQ(logfmt_value("a=b"), R"("a=b")");
  EXPECT_EQ(logfmt_value("say \"no\""), R"("say \"no\"")");
  EXPECT_EQ(logfmt_value("back\\slash"), R"("back\\slash")");
  EXPECT_EQ(logfmt_value("one\ntwo\r\t"), R"("one\ntwo\r\t")");
  EXPECT_EQ(logfmt_value(std::string("nul\0", 4)), R"("nul\u0000")");
  EXPECT_EQ(logfmt_value("\x1b[2J"), R"("\u001b[2J")");
  EXPECT_EQ(logfmt_value("h\u00e4 \u2028"), R"("h\u00e4 \u2028")");
  EXPECT_EQ(logfmt_value("\xff"), R"("\ufffd")");
  EXPECT_EQ(logfmt_value("\x7f"), R"("\u007f")");
}

// What a worker says of itself cannot look like another line or another field.
TEST(Logfmt, AValueForgesNothing) {
  LogLine line("hello");
  line.add("worker", "a\ntime=2026 level=info event=completed trial=1").add("slots", 2);
  EXPECT_EQ(line.text().find('\n'), std::string::npos);
  EXPECT_EQ(read_line(line.text()),
            (Fields{{"event", "hello"},
                    {"worker", "a\ntime=2026 level=info event=completed trial=1"},
                    {"slots", "2"}}));
}

TEST(Logfmt, ALongValueIsCutAndSaysSo) {
  const std::string line = LogLine("refused").add("reason", std::string(100'000, 'x')).text();
  EXPECT_LT(line.size(), kLongestLogValue + 100);
  EXPECT_THAT(line, testing::EndsWith("x... (100000 bytes)\""));
}

TEST(Logfmt, NumbersOfADecisionAreFieldsOfTheirOwn) {
  LogLine line("verification");
  line.add("trial", TrialId{3});
  line.add_all({{"trial", 9},
                {"repeat", 1},
                {"top1", 0.5},
                {"reason", "a b"},
                {"none", nullptr},
                {"by", {1, 2}}});
  EXPECT_EQ(read_line(line.text()), (Fields{{"event", "verification"},
                                            {"trial", "3"},
                                            {"by", "[1,2]"},
                                            {"none", "null"},
                                            {"reason", "a b"},
                                            {"repeat", "1"},
                                            {"top1", "0.5"},
                                            {"numbers.trial", "9"}}));
}

TEST(Logfmt, KeysAreCleaned) {
  EXPECT_EQ(LogLine("x").add("a b=\n\"C", 1).text(), "event=x a_b____=1");
  EXPECT_EQ(LogLine("x").add("", 1).text(), "event=x _=1");
}

std::string random_bytes(std::mt19937& random, int highest) {
  std::string bytes(random() % 12, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() % static_cast<unsigned>(highest + 1));
  return bytes;
}

void expect_one_line_of_ascii(const std::string& line) {
  for (const char sign : line) ASSERT_TRUE(sign >= ' ' && sign < 127) << line;
}

TEST(Logfmt, AnyAsciiComesBackFromOneLine) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    LogLine line("event");
    Fields expected{{"event", "event"}};
    for (int field = 0; field < 3; ++field) {
      const std::string value = random_bytes(random, 127);
      line.add("key", value);
      expected.emplace_back("key", value);
    }
    expect_one_line_of_ascii(line.text());
    ASSERT_EQ(read_line(line.text()), expected) << line.text();
  }
}

TEST(Logfmt, AnyBytesMakeOneReadableLineOfAscii) {
  std::mt19937 random(2);
  for (int round = 0; round < 20'000; ++round) {
    const std::string line =
        LogLine("event").add("a", random_bytes(random, 255)).add("b", 1).text();
    expect_one_line_of_ascii(line);
    const Fields fields = read_line(line);
    ASSERT_EQ(fields.size(), 3U) << line;
    ASSERT_EQ(fields[2], std::make_pair(std::string("b"), std::string("1"))) << line;
  }
}

}  // namespace
}  // namespace lrtune

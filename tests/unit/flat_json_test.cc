#include "common/flat_json.h"

#include <gtest/gtest.h>

#include <limits>

namespace lrtune {
namespace {

TEST(FlatJson, IsTheTextThatATreeGives) {
  const std::optional<std::int64_t> none;
  const FlatJson flat{{"worker", std::string("node 7/0")},
                      {"attempt", std::int64_t{3}},
                      {"seed", std::numeric_limits<std::uint64_t>::max()},
                      {"low", std::numeric_limits<std::int64_t>::min()},
                      {"ended_well", true},
                      {"target", none},
                      {"count", std::optional<int>(5)},
                      {"nothing", nullptr}};
  const nlohmann::json tree = {{"worker", "node 7/0"},
                               {"attempt", 3},
                               {"seed", std::numeric_limits<std::uint64_t>::max()},
                               {"low", std::numeric_limits<std::int64_t>::min()},
                               {"ended_well", true},
                               {"target", nullptr},
                               {"count", 5},
                               {"nothing", nullptr}};
  EXPECT_EQ(flat.text(), tree.dump());
  EXPECT_EQ(flat.json(), tree);
  EXPECT_EQ(flat, FlatJson(tree));
  EXPECT_EQ(FlatJson().text(), "{}");
}

TEST(FlatJson, NumbersAreWrittenAsATreeWritesThem) {
  for (const double number :
       {0.0, -0.0, 1.0, 0.1, 1e-7, 123456.789, 1e15, 1e16, 1e300, -2.5e-308, 5e-324, 1.0 / 3}) {
    EXPECT_EQ((FlatJson{{"x", number}}).text(), nlohmann::json({{"x", number}}).dump());
  }
}

TEST(FlatJson, TextsAreEscapedAsATreeEscapesThem) {
  for (const char* text :
       {"", "plain", "a \"quote\"", "back\\slash", "new\nline", "\x7f", "ä€😀", "\x01"}) {
    EXPECT_EQ((FlatJson{{"x", text}}).text(), nlohmann::json({{"x", text}}).dump());
  }
  EXPECT_EQ((FlatJson{{"x", "\xff"}}).text(), "{\"x\":\"\xEF\xBF\xBD\"}") << "no text in UTF-8";
}

TEST(FlatJson, KnowsWhatJsonCannotWrite) {
  EXPECT_TRUE((FlatJson{{"x", 1.0}}).finite());
  for (const double number :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_FALSE((FlatJson{{"x", number}}).finite());
    EXPECT_FALSE(FlatJson(nlohmann::json({{"x", number}})).finite());
    EXPECT_EQ((FlatJson{{"x", number}}).text(), "{\"x\":null}");
  }
}

}  // namespace
}  // namespace lrtune

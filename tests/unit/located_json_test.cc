#include "common/config/located_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

nlohmann::json read(const std::string& text) {
  auto json = yaml_to_json(text, "f");
  EXPECT_TRUE(json) << json.error().message;
  return json.value_or(nullptr);
}

std::string error_of(const std::string& text) {
  const auto json = yaml_to_json(text, "f");
  EXPECT_FALSE(json) << text;
  return json ? "" : json.error().message;
}

TEST(Yaml, PlainScalarsFollowTheCoreSchema) {
  EXPECT_EQ(read("[~, null, Null, NULL]"), nlohmann::json({nullptr, nullptr, nullptr, nullptr}));
  EXPECT_EQ(read("[true, True, FALSE, false]"), nlohmann::json({true, true, false, false}));
  EXPECT_EQ(read("[0, -7, +12, 007, 0x1F, 0o17]"), nlohmann::json({0, -7, 12, 7, 31, 15}));
  EXPECT_EQ(read("[18446744073709551615]"), nlohmann::json({18446744073709551615u}));
  EXPECT_EQ(read("[5e-4, 1e4, .5, 5., -1.5E+2, 1e-05]"),
            nlohmann::json({5e-4, 1e4, 0.5, 5.0, -150.0, 1e-5}));
  EXPECT_EQ(read("[yes, no, on, off, y, 1_000, 0b1, 1e, e5, ., +, 0x, 1.2.3, 12abc]"),
            nlohmann::json({"yes", "no", "on", "off", "y", "1_000", "0b1", "1e", "e5", ".", "+",
                            "0x", "1.2.3", "12abc"}));
}

TEST(Yaml, QuotedScalarsAreTexts) {
  EXPECT_EQ(read(R"(["1", '2', "true", 'null', "", "\u00e9"])"),
            nlohmann::json({"1", "2", "true", "null", "", "\u00e9"}));
  EXPECT_EQ(read("a: |\n  1\n"), nlohmann::json({{"a", "1\n"}}));
}

TEST(Yaml, NanAndInfinityStayNumbers) {
  const auto json = read("[.nan, .inf, -.INF, +.Inf]");
  EXPECT_TRUE(std::isnan(json[0].get<double>()));
  EXPECT_EQ(json[1].get<double>(), HUGE_VAL);
  EXPECT_EQ(json[2].get<double>(), -HUGE_VAL);
  EXPECT_EQ(json[3].get<double>(), HUGE_VAL);
}

TEST(Yaml, WholeNumberBeyond64BitsIsADouble) {
  EXPECT_EQ(read("[18446744073709551616]")[0].get<double>(), 18446744073709551616.0);
}

TEST(Yaml, JsonIsYaml) {
  const nlohmann::json json = {{"function", "sin2"}, {"k0", 0.01}, {"l", {1, 2}}, {"x", nullptr}};
  EXPECT_EQ(read(json.dump()), json);
  EXPECT_EQ(read(json.dump(2)), json);
}

TEST(Yaml, RefusesWhatNoConfigurationNeeds) {
  EXPECT_EQ(error_of("a: 1\nb: 2\na: 3\n"), "f:3: the key 'a' stands twice, first in line 1");
  EXPECT_EQ(error_of("a: &x 1\n"),
            "f:1: anchors and aliases (&name, *name) are not read; write the value out");
  EXPECT_EQ(error_of("a: !!binary aa\n"),
            "f:1: tags are not read, and 'tag:yaml.org,2002:binary' is one; quote a text instead");
  EXPECT_EQ(error_of("a: 1\n---\nb: 2\n"), "f:2: a second document; one file is one experiment");
  EXPECT_EQ(error_of("\n~: 1\n"), "f:2: a key must be a text, not null");
  EXPECT_EQ(error_of("[a]: 1\n"), "f:1: a key must be a text, not a map or a list");
  EXPECT_EQ(error_of("a: 1e999"), "f:1: the number 1e999 is too large or too small for a double");
  EXPECT_EQ(error_of(""), "f: the text is empty");
  EXPECT_EQ(error_of("a: [1\n"), "f:2: not YAML: end of sequence flow not found");
}

TEST(Yaml, BoundsBytesAndDepth) {
  EXPECT_EQ(error_of(std::string(kMaxYamlBytes + 1, ' ')),
            "f: 1048577 bytes are more than the 1048576 that are read");
  const auto nested = [](int depth) {
    const auto count = static_cast<std::size_t>(depth);
    return std::string(count, '[') + std::string(count, ']');
  };
  EXPECT_TRUE(yaml_to_json(nested(kMaxYamlDepth), "f"));
  EXPECT_EQ(error_of(nested(kMaxYamlDepth + 1)), "f:1: maps and lists are nested deeper than 16");
  EXPECT_EQ(error_of(nested(100'000)), "f:1: maps and lists are nested deeper than 16");
}

TEST(Yaml, RefusesBytesThatAreNoText) {
  EXPECT_EQ(error_of("a: 1\nb: \xff\n"), "f:2: the text is not UTF-8");
  EXPECT_EQ(error_of(std::string("a: 1\n\0", 6)), "f:2: the text has a control character");
  EXPECT_EQ(error_of("a: \x04 1\n"), "f:1: the text has a control character");
}

TEST(Yaml, RemembersPlaces) {
  const auto located = located_json_from_yaml("a:\n  - b: 1\n    c/d: 2\n  - 3\n", "f");
  ASSERT_TRUE(located);
  EXPECT_EQ(located->place(""), (Place{1, 1}));
  EXPECT_EQ(located->place("/a"), (Place{1, 1}));
  EXPECT_EQ(located->place("/a/0/b"), (Place{2, 5}));
  EXPECT_EQ(located->place("/a/0/c~1d"), (Place{3, 5}));
  EXPECT_EQ(located->place("/a/1"), (Place{4, 5}));
  EXPECT_EQ(located->place("/a/0/missing/deeper"), (Place{2, 5}));
  EXPECT_EQ(located->located({"is wrong", "/a/0/c~1d"}).message, "f:3: is wrong (a[0].c/d)");
  EXPECT_EQ(located->located({"is wrong", ""}).message, "f:1: is wrong");
}

TEST(Yaml, DamagedTextIsAValueOrOneError) {
  const std::string base = test::base_experiment();
  const std::string marks = "{}[]:,#&*!|>'\"%@`-?\n\t ~0.\\\xc3\xa9";
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    std::string text = base;
    for (unsigned edit = 0; edit < 1 + seed % 4; ++edit) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = marks[random() % marks.size()];
          break;
        case 1:
          text.insert(at, 1, marks[random() % marks.size()]);
          break;
        default:
          text.erase(at, 1 + random() % 20);
      }
      if (text.empty()) text = " ";
    }
    const auto located = located_json_from_yaml(text, "f");
    if (located) {
      EXPECT_NO_THROW(static_cast<void>(located->json.dump())) << "seed " << seed;
    } else {
      EXPECT_EQ(located.error().message.rfind("f:", 0), 0u) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace lrtune

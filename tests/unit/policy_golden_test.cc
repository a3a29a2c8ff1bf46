// Learning rates against values that LRBench's own functions gave
// (tests/fixtures/lr_functions.jsonl).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "common/policy/policy.h"
#include "common/policy/policy_json.h"

namespace lrtune {
namespace {

std::vector<nlohmann::json> golden_lines() {
  std::ifstream file(LRTUNE_FIXTURES "/lr_functions.jsonl");
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

TEST(PolicyGolden, EveryValueWithinOneMillionthOfAMillionth) {
  const auto lines = golden_lines();
  ASSERT_EQ(lines.size(), 72U);
  for (const nlohmann::json& line : lines) {
    const auto policy = policy_from_json(line["policy"], {});
    ASSERT_TRUE(policy) << policy.error().message << ": " << line["policy"];
    for (std::size_t i = 0; i < line["t"].size(); ++i) {
      const auto t = line["t"][i].get<std::int64_t>();
      const double expected = line["lr"][i].get<double>();
      EXPECT_LE(std::abs(learning_rate(*policy, t) - expected), 1e-12 * expected)
          << fmt::format("{} at t={}: {} instead of {}", describe(*policy), t,
                         learning_rate(*policy, t), expected);
    }
  }
}

TEST(PolicyGolden, CoversEveryFunction) {
  std::set<std::string> seen;
  for (const nlohmann::json& line : golden_lines()) {
    if (line["policy"].contains("function"))
      seen.insert(line["policy"]["function"].get<std::string>());
  }
  for (const LrFunctionKind kind : all_lr_functions())
    EXPECT_EQ(seen.count(std::string(name_of(kind))), 1U);
}

}  // namespace
}  // namespace lrtune

// A reactive policy from its file to the store, and its realised schedule run again.
#include <SQLiteCpp/SQLiteCpp.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/run_test_base.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

std::string experiment_with(const std::string& policy) {
  return R"(name: reactive
train:
  dataset: {name: mnist}
  model: lenet
  optimizer: {name: sgd}
  batch: 100
run: {iterations: 200, evaluate: {every: 10}, m_opt: {every: 20}}
seed: 3
search:
  method: list
  policies:
    - )" +
         policy + "\n";
}

constexpr const char* kReactive =
    "{name: mine, controller: plateau, functions: [{function: tri, k0: 0, k1: 0.2, l: 30}, "
    "{function: fix, k0: 0.05}, {function: exp, k0: 0.02, gamma: 0.99}], start: 1, metric: loss, "
    "window: 3, threshold: 10, cooldown: 2}";

class ReactiveRunTest : public RunTest {
 protected:
  ProcessResult run_policy(const std::string& policy, const std::string& store) {
    write("experiment.yaml", experiment_with(policy));
    return run({"--workers", "1", "--json", "--store", store}).wait();
  }
  // The last job's final state, and each point with its state, rate, metrics and M-opt.
  std::vector<std::string> kept(const std::string& store) {
    const SQLite::Database database(folder_.file(store), SQLite::OPEN_READONLY);
    std::vector<std::string> rows;
    for (const char* query :
         {"SELECT hex(outcome_state) FROM job",
          "SELECT iteration || ' ' || hex(name) || ' ' || learning_rate || ' ' || loss || ' ' || "
          "top1 "
          "FROM point JOIN state ON state.id = point.state JOIN metric ON metric.state = "
          "point.state "
          "ORDER BY iteration, part",
          "SELECT point || ' ' || iteration || ' ' || learning_rate || ' ' || coalesce(m_opt, '-') "
          "FROM m_opt ORDER BY iteration"}) {
      SQLite::Statement rows_of(database, query);
      while (rows_of.executeStep()) rows.push_back(rows_of.getColumn(0).getString());
    }
    return rows;
  }
};

TEST_F(ReactiveRunTest, ItsRealisedScheduleRunsAgainBitForBit) {
  const ProcessResult first = run_policy(kReactive, "first.db");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto result = nlohmann::json::parse(first.out)["policies"][0];
  ASSERT_TRUE(result.contains("realised")) << first.out;
  ASSERT_GE(result["realised"]["segments"].size(), 3U);
  EXPECT_EQ(result["m_opt"]["values"].size(), 10U);

  const ProcessResult shown = lrtune({"policies", "show", "2", "--store", "first.db"}).wait();
  EXPECT_THAT(shown.out, HasSubstr("# trial 1: realised by policy 1, campaign 1 (reactive)"))
      << "the schedule stands beside the policy that made it";

  const ProcessResult again = run_policy(result["realised"].dump(), "again.db");
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(kept("again.db"), kept("first.db"));
  EXPECT_EQ(kept("again.db").size(), 1U + 21 * 2 + 10);
}

TEST_F(ReactiveRunTest, TheStoreHasItAsAPolicyOfItsOwn) {
  ASSERT_EQ(run_policy(kReactive, "lrtune.db").exit_code, 0);
  const auto listed = nlohmann::json::parse(lrtune({"policies", "list", "--json"}).wait().out);
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0]["names"][0], "mine");
  EXPECT_EQ(listed[1]["names"][0], "mine realised");
  EXPECT_EQ(listed[1]["runs"][0]["scores"], listed[0]["runs"][0]["scores"]);
  const std::string page = lrtune({"policies", "show", "1"}).wait().out;
  EXPECT_THAT(page, HasSubstr("controller: plateau\n"));
  EXPECT_THAT(page, HasSubstr("realised policy 2: composite: "));
  EXPECT_THAT(page, HasSubstr("M-opt: 10 values"));
  write("realised.yaml", lrtune({"policies", "show", "2"}).wait().out);
  EXPECT_EQ(lrtune({"schedule", "realised.yaml", "--iterations", "200"}).wait().exit_code, 0);
  EXPECT_THAT(lrtune({"why", "1"}).wait().out, HasSubstr("changed its function"));
  EXPECT_THAT(read("out/best.yaml"), HasSubstr("from_t: "));
  EXPECT_THAT(read("out/m-opt.csv"),
              testing::StartsWith("trial,iteration,learning_rate,m_opt\r\n"));
  EXPECT_THAT(read("out/m-opt-trial-1.svg"), HasSubstr("M-opt"));
  EXPECT_EQ(lrtune({"store", "check"}).wait().exit_code, 0);
}

TEST_F(ReactiveRunTest, ItHasNoScheduleBeforeItIsTrained) {
  const ProcessResult result = lrtune({"schedule", kReactive, "--iterations", "200"}).wait();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("show when a run applies them"));
}

}  // namespace
}  // namespace lrtune

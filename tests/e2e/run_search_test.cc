// Searches that decide by results, with real processes: killed at many moments, and replayed.
#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/e2e/run_test_base.h"

namespace lrtune {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

std::string searching(const std::string& method) {
  return R"(name: searching
train:
  dataset: {name: mnist}
  model: lenet
  optimizer: {name: sgd}
  batch: 100
run: {iterations: 90, evaluate: {every: 10}}
seed: 3
search:
  method: )" +
         method + (method.starts_with("tree") ? "" : "\n  count: 18") + R"(
  policies:
    - {name: low, function: fix, k0: {log: [0.001, 0.1]}}
    - {name: wave, function: [sin2, tri], k0: 0.01, k1: {uniform: [0.02, 0.5]}, l: {int: [5, 30]}}
verify: {top: 2, repeats: 2}
)";
}

class SearchRunTest : public RunTest {
 protected:
  // What a search made of it, apart from times and numbers that depend on the order of results.
  static nlohmann::json findings(const ProcessResult& result) {
    nlohmann::json found = nlohmann::json::array();
    const auto document = nlohmann::json::parse(result.out);
    for (const auto& policy : document.at("policies")) {
      const auto verified = policy.value("verified", nlohmann::json::object());
      found.push_back({policy.at("policy"), policy.at("ended_at_iteration"), policy.at("top1"),
                       verified.value("top1_mean", 0.0), verified.value("loss_mean", 0.0)});
    }
    return found;
  }
  void expect_replay(const std::string& store) const {
    const ProcessResult replayed =
        lrtune({"replay", "searching", "--store", store, "--json"}).wait();
    EXPECT_EQ(replayed.exit_code, 0) << replayed.out << replayed.err;
    EXPECT_TRUE(nlohmann::json::parse(replayed.out).at("identical")) << replayed.out;
  }
  void remove_all_runs() const {
    for (const std::string store : {"lrtune.db", "whole.db"}) {
      for (const char* file : {"", "-wal", "-shm"})
        std::filesystem::remove(folder_.file(store + file));
    }
    std::filesystem::remove_all(folder_.file("out"));
  }
  // Kills coordinator and workers whenever so many results more are known, then runs to the end.
  ProcessResult run_with_kills(int each) const {
    for (int kills = 1; kills <= 4; ++kills) {
      Process process = run({"--workers", "2"}, 2'000);
      process.until("results are known", [&] {
        return count_decisions("observed") >= kills * each || campaign_state() == "done";
      });
      for (const int worker : process.children()) kill(worker, SIGKILL);
      process.signal(SIGKILL);
      process.wait(20);
    }
    return run({"--workers", "2", "--json"}).wait();
  }
};

TEST_F(SearchRunTest, HalvingAndTreesFindTheSameHoweverOftenTheyAreKilled) {
  for (const char* method :
       {"halving\n  first_rung: 10", "tree\n  boundaries: {every: 30}\n  tries: 4\n  keep: 2"}) {
    write("experiment.yaml", searching(method));
    const ProcessResult whole = run({"--workers", "1", "--json", "--store", "whole.db"}).wait();
    ASSERT_EQ(whole.exit_code, 0) << whole.err;
    const ProcessResult killed = run_with_kills(4);
    ASSERT_EQ(killed.exit_code, 0) << killed.err;
    EXPECT_EQ(findings(killed), findings(whole));
    expect_replay("whole.db");
    expect_replay("lrtune.db");
    remove_all_runs();
  }
}

TEST_F(SearchRunTest, AshaAndTpeAreReplayedHoweverOftenTheyAreKilled) {
  for (const char* method : {"asha\n  first_rung: 10\n  draw: sobol", "tpe\n  startup: 4"}) {
    write("experiment.yaml", searching(method));
    const ProcessResult killed = run_with_kills(3);
    ASSERT_EQ(killed.exit_code, 0) << killed.err;
    EXPECT_EQ(nlohmann::json::parse(killed.out).at("policies").size(), 18U) << method;
    expect_replay("lrtune.db");
    remove_all_runs();
  }
}

TEST_F(SearchRunTest, TheReplaySaysWhatItMadeAgain) {
  write("experiment.yaml", searching("asha\n  first_rung: 10"));
  ASSERT_EQ(run({"--workers", "1"}).wait().exit_code, 0);
  EXPECT_THAT(lrtune({"replay", "1"}).wait().out,
              MatchesRegex("Campaign 1 \\(searching\\), method asha: 18 candidates and [0-9]+ "
                           "promotions, decided by [0-9]+ results; 20 places in rankings; 4 "
                           "repeats. Each decision is the same again.\n"));
  EXPECT_THAT(lrtune({"why", "1"}).wait().out, HasSubstr("was proposed by the search"));
  EXPECT_EQ(lrtune({"store", "check"}).wait().exit_code, 0);
  const ProcessResult unknown = lrtune({"replay", "nothing"}).wait();
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("the store lrtune.db has no campaign 'nothing'"));
}

TEST_F(SearchRunTest, StopRulesEndRunsAndAreReplayedHoweverOftenTheyAreKilled) {
  write("experiment.yaml", searching("random\n  stop: {median: {after: 20, others: 3}}"));
  for (int ended = 3; ended <= 9; ended += 3) {
    Process process = run({"--workers", "2"}, 2'000);
    process.until("runs have ended", [&] {
      return count_decisions("weighed") >= ended || campaign_state() == "done";
    });
    process.signal(SIGKILL);
    process.wait(20);
  }
  const ProcessResult result = run({"--workers", "2", "--json"}).wait();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::int64_t stopped = 0;
  const auto document = nlohmann::json::parse(result.out);
  for (const auto& policy : document.at("policies"))
    stopped += policy.at("outcome") == "stopped" ? 1 : 0;
  EXPECT_GT(stopped, 0) << result.out;
  expect_replay("lrtune.db");
  EXPECT_THAT(lrtune({"replay", "1"}).wait().out,
              HasSubstr(std::to_string(stopped) + " runs stopped early"));
  EXPECT_EQ(lrtune({"store", "check"}).wait().exit_code, 0);
}

// What a search saw is in its log, so that it can be replayed although no run takes as long again.
TEST_F(SearchRunTest, ATpeBySecondsIsReplayedHoweverOftenItIsKilled) {
  std::string text = searching("tpe\n  startup: 4");
  const std::string run_line = "run: {iterations: 90, evaluate: {every: 10}}";
  text.replace(text.find(run_line), run_line.size(),
               "run: {iterations: 90, evaluate: {every: 10}, target: {top1: 0.13}}\n"
               "rank: {by: seconds}");
  write("experiment.yaml", text);
  const ProcessResult killed = run_with_kills(3);
  ASSERT_EQ(killed.exit_code, 0) << killed.err;
  expect_replay("lrtune.db");
  const auto document = nlohmann::json::parse(killed.out);
  double before = 0;
  int met = 0;
  for (const auto& policy : document.at("policies")) {
    if (policy.at("target_seconds").is_null()) break;
    EXPECT_GE(policy.at("target_seconds"), before);
    before = policy.at("target_seconds");
    ++met;
  }
  EXPECT_GT(met, 1) << killed.out;
  EXPECT_THAT(lrtune({"policies", "top", "--by", "seconds"}).wait().out, HasSubstr("s to target"));
}

TEST_F(SearchRunTest, DrawnCandidatesAreMadeAgainToo) {
  ASSERT_EQ(run({"--workers", "1"}).wait().exit_code, 0);
  EXPECT_THAT(lrtune({"replay", "tiny"}).wait().out,
              HasSubstr("4 candidates; 6 places in rankings; 4 repeats. Each decision"));
}

}  // namespace
}  // namespace lrtune

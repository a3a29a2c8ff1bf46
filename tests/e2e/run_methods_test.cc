// The commands that carry several campaigns out: range-test, compose and verify.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/e2e/run_test_base.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

class MethodsTest : public RunTest {
 protected:
  MethodsTest() {
    std::string text = experiment();
    text.replace(text.find("iterations: 40"), 14, "iterations: 400");
    write("experiment.yaml", text);
  }
  ProcessResult with_workers(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--workers", "2", "--worker-argument=--trainer",
                                       "--worker-argument=synthetic:iteration_us=0"});
    return lrtune(arguments).wait(240);  // several campaigns, under sanitizers too
  }
  ProcessResult verify(const std::string& policy, const std::string& target,
                       std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"verify",   policy,     "--experiment", "experiment.yaml",
                                          "--target", target,     "--candidates", "4",
                                          "--output", "verified", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return with_workers(arguments);
  }
};

TEST_F(MethodsTest, ARangeTestGivesTheSameCurvesAgainWithoutTraining) {
  const std::vector<std::string> command = {
      "range-test", "experiment.yaml", "--iterations", "100,200", "--rates", "7", "--seeds",
      "2",          "--output",        "range",        "--json"};
  const ProcessResult first = with_workers(command);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto report = nlohmann::json::parse(first.out);
  EXPECT_EQ(report["rates"].size(), 7U);
  ASSERT_EQ(report["curves"].size(), 4U);  // two lengths, two seeds
  EXPECT_EQ(report["curves"][3]["iterations"], 200);
  EXPECT_EQ(nlohmann::json::parse(read("range/range.json")), report);
  EXPECT_THAT(read("range/range.svg"), HasSubstr("after 200 iterations"));
  const ProcessResult second = with_workers(command);
  EXPECT_THAT(second.err, HasSubstr("is done already; nothing is trained again"));
  EXPECT_EQ(second.out, first.out);
}

TEST_F(MethodsTest, ARampGivesOneCurveASeed) {
  const std::vector<std::string> command = {
      "range-test", "experiment.yaml", "--ramp", "--iterations", "100",  "--rates", "5", "--seeds",
      "2",          "--high",          "10",     "--output",     "ramp", "--json"};
  const ProcessResult first = with_workers(command);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto report = nlohmann::json::parse(first.out);
  EXPECT_EQ(report["method"], "ramp");
  EXPECT_EQ(report["rates"].size(), 5U);
  ASSERT_EQ(report["curves"].size(), 2U);
  EXPECT_THAT(first.err, HasSubstr("(2 campaigns) with 2 local workers")) << "side by side";
  EXPECT_NE(report["curves"][0]["top1"], report["curves"][1]["top1"]) << "two seeds";
  EXPECT_THAT(read("ramp/range.svg"), HasSubstr("a growing rate"));
  EXPECT_EQ(with_workers(command).out, first.out);
}

TEST_F(MethodsTest, RatesOfAnExperimentComeFromARangeTest) {
  std::string text = experiment();
  const std::string rate = "fix, k0: 0.1}";
  text.replace(text.find(rate), rate.size(), "fix, k0: {from: range-test}}");
  write("ranged.yaml", text);
  const std::vector<std::string> command = {"run", "ranged.yaml", "--json"};
  const ProcessResult without = with_workers(command);
  EXPECT_EQ(without.exit_code, 2) << without.err;
  EXPECT_THAT(without.err,
              HasSubstr("ranged.yaml:12: k0: the store has no range test of this training; run "
                        "`lrtune range-test ranged.yaml` first (search.policies[0].k0)"));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("lrtune.db")));
  const ProcessResult test =
      with_workers({"range-test", "ranged.yaml", "--iterations", "400", "--rates", "31", "--low",
                    "0.005", "--high", "5", "--seeds", "1", "--json"});
  ASSERT_EQ(test.exit_code, 0) << test.err;
  const auto range = nlohmann::json::parse(test.out);
  ASSERT_TRUE(range["estimate"].is_object()) << test.out;
  const ProcessResult result = with_workers(command);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("goes by the range test tiny-range-test (campaign 1): rates from "));
  const auto policies = nlohmann::json::parse(result.out)["policies"];
  int found = 0;  // the geometric mean of both bounds, of four digits
  for (const auto& policy : policies) {
    const double k0 = policy["policy"]["k0"];
    found += std::abs(k0 / range["estimate"]["fix"].get<double>() - 1) < 1e-3 ? 1 : 0;
  }
  EXPECT_EQ(found, 1) << result.out;
}

TEST_F(MethodsTest, APolicyThatMeetsTheTargetIsVerifiedInPhaseOne) {
  const ProcessResult result = verify("{function: fix, k0: 0.05}", "top1=0.1");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto verdict = nlohmann::json::parse(result.out);
  EXPECT_EQ(verdict["verdict"], "verified");
  EXPECT_EQ(verdict["phase"], 1);
  EXPECT_THAT(lrtune({"why", "1"}).wait().out,
              HasSubstr("was judged in phase 1 for top1 0.1, it reached 0.385467: verified"));
}

TEST_F(MethodsTest, MeasuringMoptChangesNoBit) {
  const ProcessResult with = verify("{function: fix, k0: 0.05}", "top1=0.1");
  ASSERT_EQ(with.exit_code, 0) << with.err;
  const ProcessResult without = verify("{function: fix, k0: 0.05}", "top1=0.1",
                                       {"--no-m-opt", "--no-checkpoints", "--store", "other.db"});
  ASSERT_EQ(without.exit_code, 0) << without.err;
  const auto measured = nlohmann::json::parse(with.out);
  const auto plain = nlohmann::json::parse(without.out);
  EXPECT_FALSE(measured["m_opt"].is_null());
  EXPECT_TRUE(plain["m_opt"].is_null());
  for (const char* exact : {"top1", "final_loss", "final_iteration", "policy"}) {
    const nlohmann::json::json_pointer place("/phases/0/policies/0/" + std::string(exact));
    EXPECT_EQ(measured[place], plain[place]);
  }
}

TEST_F(MethodsTest, StoredPoliciesThatMeetTheTargetReplaceAWorseOneInPhaseTwo) {
  ASSERT_EQ(run().wait().exit_code, 0);
  const ProcessResult result = verify("{function: fix, k0: 0.001}", "top1=0.16");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto verdict = nlohmann::json::parse(result.out);
  EXPECT_EQ(verdict["verdict"], "replaced") << result.out;
  EXPECT_EQ(verdict["phase"], 2);
  ASSERT_EQ(verdict["phases"].size(), 2U);
  EXPECT_EQ(verdict["phases"][1]["policies"].size(), 4U);
  EXPECT_EQ(verdict["replacement"], verdict["phases"][1]["policies"][0]["policy"]);
}

TEST_F(MethodsTest, WithTooFewStoredPoliciesCandidatesAreGenerated) {
  const ProcessResult result = verify("{function: fix, k0: 0.001}", "top1=0.99");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto verdict = nlohmann::json::parse(result.out);
  EXPECT_EQ(verdict["phase"], 3);
  EXPECT_EQ(verdict["verdict"], "replaced") << result.out;
  EXPECT_EQ(nlohmann::json::parse(read("verified/verdict.json")), verdict);
  EXPECT_EQ(verdict["m_opt"]["values"].size(), 100U);
  EXPECT_GT(verdict["m_opt"]["agreement"]["values"], 0);
  EXPECT_THAT(read("verified/m-opt-trial-1.svg"), HasSubstr("M-opt of trial 1"));
  int recommended = 0;  // by M-opt: a candidate beside the four that were generated
  const auto& compared = verdict["phases"].back()["policies"];
  for (const auto& one : compared) recommended += one.value("name", "") == "M-opt" ? 1 : 0;
  EXPECT_EQ(recommended, 1) << compared;
  EXPECT_EQ(compared.size(), 6U);
  EXPECT_THAT(result.err, HasSubstr("1 reused")) << "the policy itself, of phase 1";
  const ProcessResult replay = lrtune({"replay", "tiny-verify"}).wait();
  EXPECT_EQ(replay.exit_code, 0) << replay.out << replay.err;
  EXPECT_THAT(replay.out, HasSubstr("; 1 verdict. Each decision is the same again.\n"));
  // Interrupted and started again, it ends the same.
  EXPECT_EQ(nlohmann::json::parse(verify("{function: fix, k0: 0.001}", "top1=0.99").out), verdict);
}

TEST_F(MethodsTest, SeveralPoliciesAreJudgedAtOnce) {
  const ProcessResult result =
      verify("{function: fix, k0: 0.05}", "top1=0.1", {"{function: fix, k0: 0.06}"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out).size(), 2U);
}

// Each policy's comparison once waited for the one before it, with workers idle beside it.
TEST_F(MethodsTest, ThePhasesOfSeveralPoliciesRunSideBySide) {
  const std::vector<std::string> policies = {"{function: fix, k0: 0.001}",
                                             "{function: fix, k0: 0.002}"};
  const ProcessResult both = verify(policies[0], "top1=0.99", {policies[1]});
  ASSERT_EQ(both.exit_code, 0) << both.err;
  EXPECT_THAT(both.err, HasSubstr("tiny-generate (2 campaigns) with 2 local workers"));
  const auto verdicts = nlohmann::json::parse(both.out);
  ASSERT_EQ(verdicts.size(), 2U);
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const ProcessResult alone = verify(policies[i], "top1=0.99", {"--store", "alone.db"});
    ASSERT_EQ(alone.exit_code, 0) << alone.err;
    const auto verdict = nlohmann::json::parse(alone.out);
    for (const char* part : {"verdict", "phase", "replacement", "m_opt"})
      EXPECT_EQ(verdicts[i][part], verdict[part]) << policies[i];
  }
}

TEST_F(MethodsTest, BadInputIsOneErrorAndLeavesNoStore) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"range-test", "experiment.yaml", "--low", "0"},
       "--low and --high: 1e-12 <= 0 < 1 <= 1000000 does not hold"},
      {{"range-test", "experiment.yaml", "--iterations", "100,150"}, "multiples of the first"},
      {{"range-test", "nowhere.yaml"}, "nowhere.yaml"},
      {{"verify", "{function: fix, k0: 0.05}", "--experiment", "experiment.yaml"}, "--target"},
      {{"verify", "{function: fax, k0: 0.05}", "--experiment", "experiment.yaml", "--target",
        "top1=0.9"},
       "did you mean 'fix'"},
      {{"verify", "{function: fix, k0: 0.05}", "bad.yaml", "--experiment", "experiment.yaml",
        "--target", "top1=0.9"},
       "lrtune: bad.yaml:3: k0 of fix must be at least 0, not -3 (segments[1].k0)"},
      {{"verify", "{function: fix, k0: 0.05}", "--experiment", "experiment.yaml", "--target",
        "top1=90"},
       "top1"}};
  write("bad.yaml",
        "segments:\n"
        "  - {until: 50, function: fix, k0: 0.05}\n"
        "  - {function: fix, k0: -3}\n");
  for (const auto& [arguments, expected] : wrong) {
    const ProcessResult result = with_workers(arguments);
    EXPECT_EQ(result.exit_code, 2) << expected << '\n' << result.err;
    EXPECT_THAT(result.err, HasSubstr(expected));
    EXPECT_FALSE(std::filesystem::exists(folder_.file("lrtune.db"))) << expected;
  }
}

class ComposeTest : public MethodsTest {
 protected:
  ProcessResult compose(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"compose", "experiment.yaml", "--low", "0.01",  "--high",
                                          "0.3",     "--tries",         "4",     "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return with_workers(arguments);
  }
};

TEST_F(ComposeTest, ATreeGivesAPolicyAndWhatItIsWorth) {
  const ProcessResult first = compose({"--output", "composed"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto made = nlohmann::json::parse(first.out);
  EXPECT_EQ(made["method"], "tree");
  ASSERT_GE(made["policies"].size(), 4U) << first.out;
  EXPECT_EQ(made["verdict"] == "better", made["best"] == made["composite"]) << first.out;
  EXPECT_LT(made["search"]["iterations_trained"], made["search"]["iterations_asked"]);
  EXPECT_EQ(nlohmann::json::parse(read("composed/compose.json")), made);
  // The policy that it wrote is one that every command takes.
  const ProcessResult schedule =
      lrtune({"schedule", "composed/composite.yaml", "--iterations", "400"}).wait();
  EXPECT_EQ(schedule.exit_code, 0) << schedule.err;
  EXPECT_EQ(std::ranges::count(schedule.out, '\n'), 401);

  const ProcessResult again = compose({"--output", "composed"});
  EXPECT_EQ(again.out, first.out);
  EXPECT_THAT(again.err, HasSubstr("tiny-compose is done already; nothing is trained again"));
  EXPECT_THAT(again.err, HasSubstr("tiny-composed is done already; nothing is trained again"));
  EXPECT_THAT(lrtune({"replay", "tiny-compose"}).wait().out,
              HasSubstr("Each decision is the same again."));
  EXPECT_THAT(lrtune({"replay", "tiny-composed"}).wait().out,
              HasSubstr("1 verdict. Each decision is the same again."));
  for (const auto& one : made["policies"]) {
    if (one["policy"] != made["composite"]) continue;
    const ProcessResult why = lrtune({"why", one["trial"].dump()}).wait();
    EXPECT_THAT(why.out, HasSubstr("is what was composed; beside ")) << why.err;
  }
}

TEST_F(ComposeTest, DynamicTuningAndAControllerComposeToo) {
  for (const std::string method : {"dynamic", "plateau"}) {
    const ProcessResult result = compose({"--method", method, "--store", method + ".db"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["method"], method);
  }
}

TEST_F(ComposeTest, WithoutRatesARangeTestSaysThem) {
  std::string text = experiment();
  text.replace(text.find("iterations: 40"), 14, "iterations: 4000");
  write("experiment.yaml", text);
  const ProcessResult first = with_workers({"compose", "experiment.yaml", "--tries", "2",
                                            "--repeats", "0", "--segments", "2", "--json"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto made = nlohmann::json::parse(first.out);
  EXPECT_THAT(made["rates"]["source"].get<std::string>(),
              HasSubstr("range test tiny-range-test (campaign 1)"));
  EXPECT_LT(made["rates"]["low"], made["rates"]["high"]);
}

// Regression: run.epochs was refused, after the range test was trained.
TEST_F(ComposeTest, ARunInEpochsIsComposedToo) {
  std::string text = experiment();
  text.replace(text.find("iterations: 40"), 14, "epochs: 2");
  write("experiment.yaml", text);
  for (const std::string method : {"tree", "dynamic"}) {
    const ProcessResult result =
        compose({"--method", method, "--repeats", "0", "--store", method + ".db"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
}

TEST_F(ComposeTest, AControllerChangesByItsOptions) {
  const ProcessResult result = compose({"--method", "plateau", "--window", "2", "--threshold",
                                        "100", "--cooldown", "0", "--metric", "loss"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(nlohmann::json::parse(result.out)["composite"].contains("segments")) << result.out;
}

TEST_F(ComposeTest, BadInputIsNamedAndMakesNoStore) {
  const auto error = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"compose", "experiment.yaml"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = with_workers(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder_.file("lrtune.db"))) << result.err;
    return result.err;
  };
  EXPECT_THAT(error({"--functions", "nstep"}), HasSubstr("--functions: 'nstep' is none of fix"));
  EXPECT_THAT(error({"--low", "0.1"}), HasSubstr("give both of --low and --high"));
  EXPECT_THAT(error({"--low", "0.2", "--high", "0.1"}), HasSubstr("0.2 < 0.1 <= 1000000 does not"));
  EXPECT_THAT(error({"--low", "nan", "--high", "0.1"}), HasSubstr("nan < 0.1"));
  EXPECT_THAT(error({"--low", "0.1", "--high", "inf"}), HasSubstr("0.1 < inf"));
  EXPECT_THAT(error({"--keep", "3", "--method", "dynamic"}),
              HasSubstr("--keep is an option of --method tree, and the method is dynamic"));
  EXPECT_THAT(error({"--every", "3"}), HasSubstr("--every is an option of --method dynamic"));
  EXPECT_THAT(error({"--window", "3"}), HasSubstr("--window is an option of --method plateau"));
  EXPECT_THAT(error({"--method", "plateau", "--tries", "65"}), HasSubstr("--tries"));
  EXPECT_THAT(error({"--method", "forest"}), HasSubstr("--method"));
  EXPECT_THAT(error({"--boundaries", "400"}), HasSubstr("below the run's 400 iterations"));
  EXPECT_THAT(error({"--method", "dynamic", "--every", "300"}), HasSubstr("at most half"));
  EXPECT_THAT(error({"--against", "{function: fixed}"}), HasSubstr("fixed"));
  EXPECT_THAT(error({"--keys", "nowhere"}), HasSubstr("--keys: for --listen or --coordinator"));
}

}  // namespace
}  // namespace lrtune

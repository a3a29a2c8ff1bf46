// Commands that carry campaigns out with workers of other machines, or at a coordinator: the
// workers outlive them.
#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/e2e/coordinator_test_base.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

class ListeningRunTest : public CoordinatorTest {
 protected:
  ListeningRunTest() {
    std::string text = experiment();
    text.replace(text.find("iterations: 40"), 14, "iterations: 400");
    write("experiment.yaml", text);
  }
  // The command with the workers that connect to endpoint_, its standard error in command.log.
  Process listening(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--listen", endpoint_, "--keys", "keys", "--json"});
    return lrtune(arguments);
  }
  // Kills the command whenever so many jobs more have ended, and starts it again; to the end.
  ProcessResult with_kills(const std::vector<std::string>& command, int each) const {
    for (int kills = 1; kills <= 3; ++kills) {
      Process process = listening(command);
      process.until(
          "jobs have ended", [&] { return ended_jobs() >= kills * each; }, kPatience);
      process.signal(SIGKILL);
      process.wait(kPatience);
    }
    return listening(command).wait(240);
  }
  ProcessResult locally(std::vector<std::string> command) const {
    command.insert(command.end(),
                   {"--workers", "2", "--store", "local.db", "--output", "local", "--json",
                    "--worker-argument=--trainer", "--worker-argument=synthetic:iteration_us=0"});
    return lrtune(command).wait(240);
  }
  // A report without the times and places that differ from run to run.
  static nlohmann::json findings(const std::string& out) {
    nlohmann::json report = nlohmann::json::parse(out, nullptr, false);
    std::vector<nlohmann::json*> open{&report};
    while (!open.empty()) {
      nlohmann::json& value = *open.back();
      open.pop_back();
      if (value.is_object()) {
        for (const char* key : {"files", "seconds", "seconds_mean", "seconds_deviation"})
          value.erase(key);
      }
      if (!value.is_structured()) continue;
      for (nlohmann::json& inner : value) open.push_back(&inner);
    }
    return report;
  }
};

TEST_F(ListeningRunTest, AVerdictIsTheSameHoweverOftenItsCommandIsKilled) {
  const std::vector<std::string> command = {"verify",       "{function: fix, k0: 0.001}",
                                            "--experiment", "experiment.yaml",
                                            "--target",     "top1=0.99",
                                            "--candidates", "4"};
  const ProcessResult local = locally(command);
  Process first = worker("left");
  Process second = worker("right");
  const ProcessResult killed = with_kills(command, 3);
  ASSERT_EQ(killed.exit_code, local.exit_code) << killed.err;
  ASSERT_TRUE(findings(killed.out).is_object()) << killed.out << killed.err;
  EXPECT_EQ(nlohmann::json::diff(findings(killed.out), findings(local.out)).dump(), "[]");
  EXPECT_EQ(stop(first), 0);
  EXPECT_EQ(stop(second), 0);
}

TEST_F(ListeningRunTest, ACompositionIsTheSameHoweverOftenItsCommandIsKilled) {
  const std::vector<std::string> command = {"compose", "experiment.yaml", "--low", "0.01", "--high",
                                            "0.3",     "--tries",         "4"};
  const ProcessResult local = locally(command);
  ASSERT_EQ(local.exit_code, 0) << local.err;
  Process first = worker("left");
  Process second = worker("right");
  const ProcessResult killed = with_kills(command, 3);
  ASSERT_EQ(killed.exit_code, 0) << killed.err;
  EXPECT_EQ(nlohmann::json::diff(findings(killed.out), findings(local.out)).dump(), "[]");
  EXPECT_EQ(stop(first), 0);
  EXPECT_EQ(stop(second), 0);
}

// The same at a coordinator that runs already: it trains, records the verdict, and is asked again.
TEST_F(ListeningRunTest, AVerdictIsTheSameAtACoordinator) {
  const std::vector<std::string> command = {"verify",       "{function: fix, k0: 0.001}",
                                            "--experiment", "experiment.yaml",
                                            "--target",     "top1=0.99",
                                            "--candidates", "4"};
  const ProcessResult local = locally(command);
  ASSERT_EQ(local.exit_code, 0) << local.err;
  Process serving = coordinator();
  Process first = worker("left");
  Process second = worker("right");
  std::vector<std::string> there = command;
  there.insert(there.end(), {"--store", "lrtune.db", "--json"});
  const ProcessResult verified = client(there).wait(240);
  ASSERT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_EQ(nlohmann::json::diff(findings(verified.out), findings(local.out)).dump(), "[]");
  EXPECT_EQ(client(there).wait(240).out, verified.out);
  EXPECT_EQ(number("SELECT count(*) FROM decision WHERE code = 'verdict'"), 1);
  EXPECT_THAT(lrtune({"replay", "tiny-verify"}).wait().out,
              HasSubstr("1 verdict. Each decision is the same again."));

  // Another store than the coordinator's: nothing is ordered.
  const std::int64_t campaigns = number("SELECT count(*) FROM campaign");
  there = {"range-test", "experiment.yaml", "--iterations", "100", "--store", "local.db"};
  const ProcessResult elsewhere = client(there).wait(240);
  EXPECT_EQ(elsewhere.exit_code, 2);
  EXPECT_THAT(elsewhere.err, HasSubstr("local.db is not the store of the coordinator at"));
  EXPECT_EQ(number("SELECT count(*) FROM campaign"), campaigns);
  EXPECT_EQ(stop(first), 0);
  EXPECT_EQ(stop(second), 0);
  EXPECT_EQ(stop(serving), 0);
}

// Regression: a copy of its store that had the campaign, open still, was judged as if that were
// all, and the wrong judgement was recorded.
TEST_F(ListeningRunTest, AnOldCopyOfACoordinatorsStoreIsNotBelieved) {
  Process serving = coordinator();
  std::vector<std::string> command = {
      "range-test", "experiment.yaml", "--iterations", "100", "--rates", "3", "--seeds", "1"};
  Process waiting = client(command);
  until(waiting, "the campaign is there",
        [&] { return number("SELECT count(*) FROM campaign") == 1; });
  const ProcessResult copied = lrtune({"store", "backup", "old.db"}).wait(kPatience);
  ASSERT_EQ(copied.exit_code, 0) << copied.err;
  waiting.signal(SIGINT);
  const ProcessResult stopped = waiting.wait(kPatience);
  EXPECT_EQ(stopped.exit_code, 75) << stopped.err;
  Process alone = worker("alone");
  const ProcessResult done = client(command).wait(240);
  EXPECT_EQ(done.exit_code, 0) << done.err;
  command.insert(command.end(), {"--store", "old.db"});
  const ProcessResult refused = client(command).wait(240);
  EXPECT_EQ(refused.exit_code, 2) << refused.out;
  EXPECT_THAT(refused.err, HasSubstr("or is an old copy of it"));
  EXPECT_EQ(stop(alone), 0);
  EXPECT_EQ(stop(serving), 0);
}

TEST_F(ListeningRunTest, ARangeIsTheSameHoweverOftenItsCommandIsKilled) {
  const std::vector<std::string> command = {
      "range-test", "experiment.yaml", "--iterations", "100,200", "--rates", "7", "--seeds", "2"};
  const ProcessResult local = locally(command);
  ASSERT_EQ(local.exit_code, 0) << local.err;
  Process one = worker("alone");
  const ProcessResult killed = with_kills(command, 4);
  ASSERT_EQ(killed.exit_code, 0) << killed.err;
  EXPECT_EQ(nlohmann::json::diff(findings(killed.out), findings(local.out)).dump(), "[]");
  EXPECT_EQ(stop(one), 0);
}

TEST_F(ListeningRunTest, AStoppedRunLeavesItsWorkersAtWork) {
  Process one = worker("alone", 500);
  Process process = listening({"run", "experiment.yaml"});
  process.until(
      "a job runs", [&] { return running_jobs() > 0; }, kPatience);
  process.signal(SIGINT);
  const ProcessResult stopped = process.wait(kPatience);
  EXPECT_EQ(stopped.exit_code, 75) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("with the workers that connect to " + endpoint_));
  EXPECT_THAT(stopped.err, HasSubstr("the workers train on"));
  const ProcessResult result = listening({"run", "experiment.yaml"}).wait(kPatience);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(number("SELECT count(*) FROM decision WHERE code = 'requeued' AND "
                   "json_extract(numbers, '$.iteration') > 0"),
            0)
      << "what ran was begun again";
  EXPECT_EQ(stop(one), 0);
}

TEST_F(ListeningRunTest, WhatDoesNotGoTogetherIsRefused) {
  const auto refused = [&](const std::vector<std::string>& arguments) {
    const ProcessResult result = lrtune(arguments).wait(kPatience);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    return result.err;
  };
  EXPECT_THAT(refused({"run", "experiment.yaml", "--listen", endpoint_, "--workers", "2"}),
              HasSubstr("--workers"));
  EXPECT_THAT(refused({"run", "experiment.yaml", "--keys", "keys"}), HasSubstr("--listen"));
  EXPECT_THAT(refused({"run", "experiment.yaml", "--listen", "tcp://*:5599"}), HasSubstr("keys"));
  EXPECT_THAT(refused({"run", "experiment.yaml", "--listen", "here"}), HasSubstr("here"));
}

}  // namespace
}  // namespace lrtune

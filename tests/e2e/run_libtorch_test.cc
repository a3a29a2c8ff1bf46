// `lrtune run` with the worker that users have: LeNet on a small data set, through LibTorch.
#include <signal.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/e2e/run_test_base.h"
#include "tests/support/image_files.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

class LibtorchRunTest : public RunTest {
 protected:
  // Two policies; `data` holds the four IDX files, or not yet.
  void write_experiment(int iterations = 20) const {
    write("experiment.yaml", "name: tiny\ntrain:\n  dataset: {name: mnist, path: " +
                                 folder_.file("data") + R"(}
  validation: 0
  model: lenet
  optimizer: {name: momentum, style: paper, momentum: 0.9, weight_decay: 5e-4}
  batch: 20
run: {iterations: )" + std::to_string(iterations) +
                                 R"(, evaluate: {every: 10, on: test}}
seed: 3
search:
  method: list
  policies:
    - {function: fix, k0: 0.01}
    - {function: fix, k0: 0.0001}
)");
  }

  Process run_it(const std::string& workers, const std::string& store,
                 const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"run", "experiment.yaml", "--output",
                                          "out", "--json",          "--store",
                                          store, "--workers",       workers};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return lrtune(arguments);
  }

  // Checkpoints that are whole by their names.
  std::size_t checkpoints(const std::string& folder = "lrtune.checkpoints") const {
    std::error_code error;
    std::size_t found = 0;
    for (std::filesystem::directory_iterator it(folder_.file(folder), error), end;
         !error && it != end; it.increment(error))
      found += it->path().extension() == ".checkpoint";
    return found;
  }
};

std::vector<nlohmann::json> accuracies(const ProcessResult& result) {
  std::vector<nlohmann::json> found;
  const auto document = nlohmann::json::parse(result.out);
  for (const auto& policy : document["policies"]) {
    found.push_back({policy["policy"], policy["top1"], policy["loss"], policy["final_top1"]});
  }
  return found;
}

TEST_F(LibtorchRunTest, ANetworkLearnsTheSameWithAnyNumberOfWorkers) {
  write_image_files(folder_.file("data"));
  write_experiment();
  const ProcessResult one = run_it("1", "one.db").wait(120);
  ASSERT_EQ(one.exit_code, 0) << one.err;
  expect_usual_output(one.err);
  const auto results = accuracies(one);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0][0]["k0"], 0.01);
  EXPECT_GT(results[0][1].get<double>(), 0.3) << "ten classes, one guess: 0.1";
  const ProcessResult two = run_it("2", "two.db").wait(120);
  ASSERT_EQ(two.exit_code, 0) << two.err;
  EXPECT_EQ(accuracies(two), results);
}

// 50 of 90 iterations: all three share the first 20.
TEST_F(LibtorchRunTest, SharedBeginningsAreTrainedOnceToTheSameBits) {
  write_image_files(folder_.file("data"));
  write_experiment(30);
  std::string text = read("experiment.yaml");
  text.resize(text.find("  policies:"));
  write("experiment.yaml", text + R"(  policies:
    - segments: [{until: 20, function: fix, k0: 0.01}, {function: fix, k0: 0.001}]
    - segments: [{until: 20, function: fix, k0: 0.01}, {function: fix, k0: 0.002}]
    - segments: [{until: 25, function: fix, k0: 0.01}, {function: fix, k0: 0.003}]
)");
  const ProcessResult alone = run_it("2", "alone.db", {"--no-checkpoints"}).wait(120);
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  const ProcessResult shared = run_it("2", "shared.db").wait(120);
  ASSERT_EQ(shared.exit_code, 0) << shared.err;
  EXPECT_EQ(accuracies(shared), accuracies(alone));
  const auto document = nlohmann::json::parse(shared.out);
  EXPECT_EQ(document["iterations"]["asked"], 90);
  EXPECT_EQ(document["iterations"]["trained"], 50);
  EXPECT_EQ(nlohmann::json::parse(alone.out)["iterations"]["trained"], 90);
  double paid = 0;
  for (const auto& policy : document["policies"]) paid += policy["iterations_paid"].get<double>();
  EXPECT_NEAR(paid, 50, 1e-9);
  std::size_t went_on = 0;  // really from the shared state, not from the start
  for (const char* worker : {"1", "2"}) {
    const std::string log = read(std::string("out/logs/worker-") + worker + ".log");
    for (std::size_t at = 0; (at = log.find("checkpoint of iteration 20 of 30", at)) != log.npos;
         ++at)
      ++went_on;
  }
  EXPECT_EQ(went_on, 3U);
  const ProcessResult flag = run_it("2", "flag.db", {"--no-stage-sharing"}).wait(120);
  EXPECT_EQ(accuracies(flag), accuracies(alone));
}

TEST_F(LibtorchRunTest, KilledRunsGoOnFromTheirCheckpointsToTheSameEnd) {
  write_image_files(folder_.file("data"));
  write_experiment(250);
  const ProcessResult whole = run_it("2", "whole.db", {"--no-checkpoints"}).wait(120);
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_FALSE(std::filesystem::exists(folder_.file("whole.checkpoints")));
  const std::vector<std::string> often = {"--worker-argument=--checkpoint-every=0.05"};
  Process killed = run_it("2", "lrtune.db", often);
  killed.until("both runs were kept", [&] { return checkpoints() >= 4; });
  const std::vector<int> workers = killed.children();
  killed.signal(SIGKILL);
  for (const int worker : workers) kill(worker, SIGKILL);
  EXPECT_EQ(killed.wait(20).signal, SIGKILL);
  for (const auto& [id, job] : jobs()) EXPECT_EQ(job.state, "running") << "killed too late";
  const ProcessResult rest = run_it("2", "lrtune.db", often).wait(120);
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(accuracies(rest), accuracies(whole));
  for (const char* worker : {"1", "2"}) {
    const std::string log = read(std::string("out/logs/worker-") + worker + ".log");
    EXPECT_THAT(log, HasSubstr("goes on from the checkpoint of iteration"));
  }
}

// The second run has another folder of checkpoints, as a worker on another machine would.
TEST_F(LibtorchRunTest, ARunGoesOnWhereNoFolderIsSharedThroughTheCheckpointService) {
  write_image_files(folder_.file("data"));
  write_experiment(250);
  const ProcessResult whole = run_it("2", "whole.db", {"--no-checkpoints"}).wait(120);
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  Process service(LRTUNE_CHECKPOINTS_PROGRAM, {"kept", "--listen", "tcp://127.0.0.1:*"},
                  folder_.path());
  const std::string says = "event=listens endpoint=";
  service.until_error_has(says);
  service.until("the whole line", [&] { return service.err().ends_with('\n'); });
  const std::string endpoint = service.err().substr(service.err().find(says) + says.size());
  const auto options = [&](const std::string& folder) {
    return std::vector<std::string>{"--checkpoints", folder,
                                    "--worker-argument=--checkpoint-every=0.05",
                                    "--worker-argument=--checkpoint-service=" +
                                        endpoint.substr(0, endpoint.find_first_of(" \n"))};
  };
  Process killed = run_it("2", "lrtune.db", options("here"));
  killed.until("both runs are kept there", [&] { return checkpoints("kept") >= 4; });
  const std::vector<int> workers = killed.children();
  killed.signal(SIGKILL);
  for (const int worker : workers) kill(worker, SIGKILL);
  EXPECT_EQ(killed.wait(20).signal, SIGKILL);
  for (const auto& [id, job] : jobs()) EXPECT_EQ(job.state, "running") << "killed too late";
  const ProcessResult rest = run_it("2", "lrtune.db", options("elsewhere")).wait(120);
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(accuracies(rest), accuracies(whole));
  for (const char* worker : {"1", "2"}) {
    const std::string log = read(std::string("out/logs/worker-") + worker + ".log");
    EXPECT_THAT(log, HasSubstr("which came from the checkpoint service"));
  }
  service.signal(SIGTERM);
  EXPECT_EQ(service.wait(20).exit_code, 0);
}

TEST_F(LibtorchRunTest, MissingDataIsOneClearErrorAndOnceItIsThereTheRunGoesOn) {
  write_experiment();
  const ProcessResult without = run_it("1", "lrtune.db").wait(120);
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_EQ(without.out, "");
  EXPECT_THAT(without.err, HasSubstr(folder_.file("data")));
  expect_usual_output(without.err, {folder_.file("data"), "tiny: failed"});
  write_image_files(folder_.file("data"));
  const ProcessResult with = run_it("1", "lrtune.db").wait(120);
  EXPECT_EQ(with.exit_code, 0) << with.err;
  expect_usual_output(with.err);
}

TEST_F(LibtorchRunTest, ATruncatedFileIsNamed) {
  write_image_files(folder_.file("data"));
  write_experiment();
  const std::string file = folder_.file("data/train-images-idx3-ubyte");
  ASSERT_TRUE(std::filesystem::exists(file));
  std::filesystem::resize_file(file, 1000);
  const ProcessResult result = run_it("1", "lrtune.db").wait(120);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("train-images-idx3-ubyte"));
}

std::string replaced(std::string text, const std::string& part, const std::string& with) {
  const std::size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return at == std::string::npos ? text : text.replace(at, part.size(), with);
}

// Table 8, with each length and boundary 10,000 times shorter.
TEST_F(LibtorchRunTest, TheExperimentOnSvhnTrainsOnFilesOfItsForm) {
  write_svhn_files(folder_.file("data"), {.train = 100, .test = 40});
  std::ifstream file(LRTUNE_SOURCE_DIR "/experiments/svhn-cnn3.yaml");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  text = replaced(text, "{name: svhn}", "{name: svhn, path: " + folder_.file("data") + "}");
  text = replaced(text, "batch: 100", "batch: 10");
  text = replaced(text, "iterations: 70000", "iterations: 7");
  text = replaced(text, "every: 250", "every: 3");
  text = replaced(text, "l: [60000, 65000]", "l: [5, 6]");
  text = replaced(text, "until: 60000", "until: 5");
  text = replaced(text, "until: 65000", "until: 6");
  write("experiment.yaml", text);
  const ProcessResult result = run_it("2", "lrtune.db").wait(120);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto document = nlohmann::json::parse(result.out);
  ASSERT_EQ(document["policies"].size(), 4U);
  for (const auto& policy : document["policies"]) {
    if (policy["name"] == "SIN2 of MNIST") continue;  // the paper's point: it does not fit
    EXPECT_EQ(policy["outcome"], "completed") << policy["name"];
  }
}

TEST_F(LibtorchRunTest, ANetworkOfOnesOwnIsTakenFromATrustedFolderAlone) {
  write_image_files(folder_.file("data"));
  write_experiment();
  write("experiment.yaml", replaced(read("experiment.yaml"), "model: lenet",
                                    "model: {name: torchscript, file: network.pt}"));
  const ProcessResult refused = run_it("1", "lrtune.db").wait(120);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--trust-folder FOLDER"));
  const ProcessResult taken =
      run_it("1", "lrtune.db", {"--trust-folder", LRTUNE_SOURCE_DIR "/tests/fixtures/networks"})
          .wait(120);
  ASSERT_EQ(taken.exit_code, 0) << taken.err;
  EXPECT_EQ(accuracies(taken).size(), 2U);
}

}  // namespace
}  // namespace lrtune

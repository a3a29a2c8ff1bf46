// `lrtune run` with the worker that users have: LeNet on a small data set, through LibTorch.
#include <signal.h>

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
  std::size_t checkpoints() const {
    std::error_code error;
    std::size_t found = 0;
    for (std::filesystem::directory_iterator it(folder_.file("lrtune.checkpoints"), error), end;
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

}  // namespace
}  // namespace lrtune

// `lrtune run` with the worker that users have: LeNet on a small data set, through LibTorch.
#include <nlohmann/json.hpp>

#include "tests/e2e/run_test_base.h"
#include "tests/support/image_files.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

class LibtorchRunTest : public RunTest {
 protected:
  // Two policies of 20 iterations; `data` holds the four IDX files, or not yet.
  void write_experiment() const {
    write("experiment.yaml",
          "name: tiny\ntrain:\n  dataset: {name: mnist, path: " + folder_.file("data") + R"(}
  validation: 0
  model: lenet
  optimizer: {name: momentum, style: paper, momentum: 0.9, weight_decay: 5e-4}
  batch: 20
run: {iterations: 20, evaluate: {every: 10, on: test}}
seed: 3
search:
  method: list
  policies:
    - {function: fix, k0: 0.01}
    - {function: fix, k0: 0.0001}
)");
  }

  Process run_it(const std::string& workers, const std::string& store) const {
    return lrtune({"run", "experiment.yaml", "--output", "out", "--json", "--workers", workers,
                   "--store", store});
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

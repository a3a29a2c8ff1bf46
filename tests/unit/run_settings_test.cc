#include "coordinator/cli/run_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

Experiment experiment_with(const std::string& train, const std::string& policies) {
  return experiment_from_yaml(
             "name: some.name\ntrain:\n  dataset: {name: mnist}\n  model: lenet\n"
             "  optimizer: {name: sgd}\n  batch: 100\n" +
                 train +
                 "run: {iterations: 100, evaluate: {every: 50}}\nseed: 1\nsearch:\n"
                 "  method: grid\n  policies:\n" +
                 policies,
             "x.yaml")
      .value();
}

const char* const kFour = "    - {function: fix, k0: [0.1, 0.2, 0.3, 0.4]}\n";

TEST(RunSettings, WorkersFollowCoresThreadsAndWork) {
  const Experiment four = experiment_with("  threads: 2\n", kFour);
  const WorkerNeeds needs = worker_needs(four);
  EXPECT_EQ(needs.device, "cpu");
  EXPECT_EQ(needs.threads, 2);
  EXPECT_EQ(default_workers({&four, 1}, needs, 1), 1);
  EXPECT_EQ(default_workers({&four, 1}, needs, 6), 3);
  EXPECT_EQ(default_workers({&four, 1}, needs, 64), 4) << "four trials keep no more busy";
  const std::vector<Experiment> two = {four, four};
  EXPECT_EQ(default_workers(two, needs, 64), 8) << "side by side";
  EXPECT_EQ(default_workers(two, needs, 6), 3);
}

TEST(RunSettings, OutputFolderIsNamedAfterTheExperiment) {
  const Experiment experiment = experiment_with("", kFour);
  EXPECT_EQ(default_output(experiment).string(),
            "lrtune-results/some.name-" + experiment.hash.hex().substr(0, 8));
}

TEST(RunSettings, AnotherDeviceMakesAnotherExperiment) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("x.yaml"))
      << "name: x\ntrain: {dataset: {name: mnist}, model: lenet, optimizer: {name: sgd}, batch: "
         "100}\n"
         "run: {iterations: 100, evaluate: {every: 50}}\nseed: 1\n"
         "search: {method: list, policies: [{function: fix, k0: 0.1}]}\n";
  RunOptions options;
  options.file = folder.file("x.yaml");
  const Experiment as_written = read_experiment(options, kAnyRangeFinding).value();
  options.device = "cpu";
  EXPECT_EQ(read_experiment(options, kAnyRangeFinding)->hash, as_written.hash);
  options.device = "cuda";
  const Experiment on_gpu = read_experiment(options, kAnyRangeFinding).value();
  EXPECT_NE(on_gpu.hash, as_written.hash);
  EXPECT_EQ(worker_needs(on_gpu).device, "cuda");
}

TEST(RunSettings, AMissingFileIsNamed) {
  RunOptions options;
  options.file = "/nowhere/x.yaml";
  EXPECT_EQ(read_experiment(options, kAnyRangeFinding).error().message,
            "cannot read /nowhere/x.yaml: No such file or directory");
  options.file = "/";
  EXPECT_EQ(read_experiment(options, kAnyRangeFinding).error().message,
            "/ is a folder, not an experiment's file");
}

TEST(RunSettings, AMissingWorkerProgramIsNamed) {
  const TemporaryFolder folder;
  const auto program = worker_program({}, {"cuda", 1}, folder.path());
  ASSERT_FALSE(program);
  EXPECT_THAT(program.error().message, HasSubstr("there is no lrtune-worker-cuda in"));
}

}  // namespace
}  // namespace lrtune

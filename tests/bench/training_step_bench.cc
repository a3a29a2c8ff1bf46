// Milliseconds of one training step, through the same code as a worker's: batches from images in
// memory, the network, its gradients, the optimizer, the name of the state. Prints one line of
// JSON. training_step_pytorch.py does the same in Python.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/state_name.h"
#include "worker/training/datasets.h"
#include "worker/training/device.h"
#include "worker/training/draws.h"
#include "worker/training/training_run.h"

namespace lrtune {
namespace {

struct Options {
  std::string model = "lenet";
  std::int64_t batch = 64;
  int threads = 1;
  std::int64_t iterations = 100;  // that are timed
};

constexpr std::int64_t kWarmUp = 5;  // iterations before them
constexpr std::int64_t kTrainSamples = 2000;

struct Shown {
  std::int64_t channels;
  std::int64_t side;
  Normalise normalise;
};

// What each network sees in the paper's experiments.
const std::map<std::string, Shown>& models() {
  static const std::map<std::string, Shown> all = {{"lenet", {1, 28, Normalise::kScale}},
                                                   {"cnn3", {3, 32, Normalise::kMeanImage}},
                                                   {"resnet32", {3, 32, Normalise::kChannels}}};
  return all;
}

ImagePart random_part(const Shown& shown, std::int64_t samples) {
  Draws draws("bench", 1, static_cast<std::uint64_t>(samples));
  ImagePart part;
  part.pixels.resize(static_cast<std::size_t>(samples * shown.channels * shown.side * shown.side));
  for (std::uint8_t& pixel : part.pixels) pixel = static_cast<std::uint8_t>(draws.below(256));
  for (std::int64_t i = 0; i < samples; ++i) {
    part.labels.push_back(static_cast<std::int64_t>(draws.below(10)));
  }
  return part;
}

class StepClock final : public TrainingObserver {
 public:
  void measured(const MetricPoint&) override {}
  void progressed(std::int64_t) override { times_.push_back(std::chrono::steady_clock::now()); }

  // REQUIRES: more than kWarmUp steps.
  double median_milliseconds() const {
    std::vector<double> steps;
    for (std::size_t i = kWarmUp; i < times_.size(); ++i) {
      steps.push_back(std::chrono::duration<double, std::milli>(times_[i] - times_[i - 1]).count());
    }
    const auto middle = steps.begin() + std::ssize(steps) / 2;
    std::nth_element(steps.begin(), middle, steps.end());
    return *middle;
  }

 private:
  std::vector<std::chrono::steady_clock::time_point> times_;
};

TrainingJob job_of(const Options& options, const Shown& shown) {
  const OptimizerSpec optimizer{
      .name = "momentum", .style = MomentumStyle::kTorch, .momentum = 0.9, .weight_decay = 5e-4};
  const TrainSpec train{.model = {.name = options.model},
                        .input = {.normalise = shown.normalise},
                        .optimizer = optimizer,
                        .batch = options.batch,
                        .threads = options.threads};
  const std::int64_t steps = kWarmUp + options.iterations;
  return {.identity = {.train = train},
          .policy = {{{.function = {.kind = LrFunctionKind::kFix, .k0 = 1e-3}}}},
          .seed = 1,
          .plan = {.iterations = steps,
                   .evaluate_every = steps,
                   .evaluate_on = Part::kTest,
                   .train_subset = 1}};
}

Result<double> median_step(const Options& options) {
  const Shown& shown = models().at(options.model);
  const auto device = open_device("cpu");
  if (!device) return tl::unexpected(device.error());
  const ThreadScope scope(device->device, options.threads);
  Dataset dataset{.name = "random",
                  .channels = shown.channels,
                  .rows = shown.side,
                  .columns = shown.side,
                  .classes = 10,
                  .train = random_part(shown, kTrainSamples),
                  .test = random_part(shown, 1)};
  const DeviceData data(std::make_shared<const Dataset>(std::move(dataset)), device->device);
  const Split split = split_training_data(kTrainSamples, 0).value();
  const TrainingJob job = job_of(options, shown);
  auto batches = make_memory_batches(job, data, split);
  if (!batches) return tl::unexpected(batches.error());
  auto model = make_model(job.identity.train.model, image_shape(job.identity.train, data.dataset()),
                          job.seed, device->device);
  if (!model) return tl::unexpected(model.error());
  auto optimizer = make_optimizer(job.identity.train.optimizer, (*model)->parameters());
  if (!optimizer) return tl::unexpected(optimizer.error());
  const CheckpointOptions none;
  RunCheckpoints checkpoints(none, {.start = initial_state(job.identity.hash(), job.seed)},
                             job.policy, job.plan);
  const std::atomic<bool> stop = false;
  StepClock clock;
  const Outcome outcome = TrainingRun(job, **batches, split, std::move(*model),
                                      std::move(*optimizer), clock, stop, checkpoints)
                              .run();
  if (outcome.kind != OutcomeKind::kCompleted) return fail(outcome.message);
  return clock.median_milliseconds();
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{"Times a training step"};
  std::vector<std::string> names;
  for (const auto& [name, shown] : models()) names.push_back(name);
  app.add_option("--model", options.model)->check(CLI::IsMember(names))->capture_default_str();
  app.add_option("--batch", options.batch)->check(CLI::Range(2, 100'000))->capture_default_str();
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--iterations", options.iterations)
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto step = median_step(options);
  if (!step) {
    fmt::print(stderr, "{}\n", step.error().message);
    return 1;
  }
  const nlohmann::json line = {{"model", options.model},
                               {"batch", options.batch},
                               {"threads", options.threads},
                               {"iterations", options.iterations},
                               {"step_ms", *step}};
  fmt::print("{}\n", line.dump());
  return 0;
}

}  // namespace
}  // namespace lrtune

int main(int argc, char** argv) { return lrtune::run(argc, argv); }

// Images a second from a folder of JPEGs, through the same code as a worker's: read, decoded, cut
// at random to 224 x 224, mirrored, in batches ahead of who asks. Prints one line of JSON.
// compare_jpeg.py does the same with PyTorch's loader.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "worker/training/folder_images.h"
#include "worker/training/image_folder.h"

namespace lrtune {
namespace {

struct Options {
  std::string folder;
  int threads = 1;
  std::int64_t batch = 64;
  std::int64_t batches = 20;  // that are timed
};

constexpr std::int64_t kWarmUp = 2;  // batches before them

TrainingJob job_of(const Options& options) {
  TrainingJob job;
  TrainSpec& train = job.identity.train;
  train.dataset = {.name = "imagefolder", .path = options.folder};
  train.input = default_input(train.dataset, train.model);
  train.batch = options.batch;
  job.plan.iterations = kWarmUp + options.batches;
  return job;
}

Result<double> images_a_second(const Options& options) {
  auto dataset = load_image_folder(options.folder, "");
  if (!dataset) return tl::unexpected(dataset.error());
  dataset->folder = options.folder;
  const auto split = split_training_data(dataset->train.samples(), 0);
  if (!split) return tl::unexpected(split.error());
  const TrainingJob job = job_of(options);
  FolderImages images(job, *dataset, *split, {.threads = options.threads});
  std::chrono::steady_clock::time_point start;
  for (std::int64_t i = 0; i < job.plan.iterations; ++i) {
    if (i == kWarmUp) start = std::chrono::steady_clock::now();
    const auto batch = images.training_batch(i);
    if (!batch) return tl::unexpected(batch.error());
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return static_cast<double>(options.batch * options.batches) / seconds.count();
}

int run(int argc, char** argv) {
  CLI::App app("Images a second from a folder of JPEGs", "lrtune_bench_jpeg");
  Options options;
  app.add_option("--folder", options.folder, "train/CLASS/*.jpg and val/CLASS/*.jpg")->required();
  app.add_option("--threads", options.threads, "That decode")->capture_default_str();
  app.add_option("--batch", options.batch, "Images")->capture_default_str();
  app.add_option("--batches", options.batches, "That are timed")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto speed = images_a_second(options);
  if (!speed) {
    fmt::print(stderr, "lrtune_bench_jpeg: {}\n", speed.error().message);
    return 1;
  }
  fmt::print("{}\n",
             nlohmann::json{{"threads", options.threads}, {"images_per_second", *speed}}.dump());
  return 0;
}

}  // namespace
}  // namespace lrtune

int main(int argc, char** argv) { return lrtune::run(argc, argv); }

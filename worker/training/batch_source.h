// Where a run's batches come from: images in memory, or files that are decoded ahead of the steps.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "worker/training/decode_pool.h"
#include "worker/training/device_data.h"
#include "worker/training/input.h"
#include "worker/training/sampler.h"
#include "worker/training/torch_headers.h"
#include "worker/training/trainer.h"

namespace lrtune {

struct Batch {
  at::Tensor inputs;                  // as InputTransform makes them, on the device
  at::Tensor labels;                  // int64, samples, on the device
  std::vector<std::int64_t> classes;  // the labels again, for the CPU
};

// One run's; not thread-safe. The samples of a batch and what is done to them depend on the job and
// the iteration alone, so steps may start anywhere and are the same after an interruption.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual const Dataset& dataset() const = 0;
  virtual at::Device device() const = 0;

  // What the step `iteration` trains on. Calls in ascending order are fast, any order is right.
  // Errors: a file that cannot be read, or decoded if the job says so.
  virtual Result<Batch> training_batch(std::int64_t iteration) = 0;

  // The device has work now, and `iteration` is the next step: its batch may be made meanwhile.
  // What goes wrong with it is said when it is asked for.
  virtual void prepare(std::int64_t iteration) { static_cast<void>(iteration); }

  // samples[first] .. samples[first + count - 1] of the training or the test file, not augmented;
  // fewer if some cannot be decoded. What follows in `samples` will be asked for next.
  virtual Result<Batch> evaluation_batch(Part file, std::span<const std::int64_t> samples,
                                         std::size_t first, std::size_t count) = 0;

  // For people: what was skipped so far; empty if nothing.
  virtual std::string remarks() const { return {}; }
};

// The samples of each step of a job.
class StepSamples {
 public:
  StepSamples(const TrainingJob& job, const Split& split);
  std::vector<std::int64_t> of(std::int64_t iteration);  // as many as the batch has

 private:
  std::int64_t batch_;
  std::span<const std::int64_t> train_;
  SampleOrder order_;
};

// Batches of images in memory. The arguments must outlive it. Errors: train.input does not fit the
// images.
Result<std::unique_ptr<BatchSource>> make_memory_batches(const TrainingJob& job,
                                                         const DeviceData& data,
                                                         const Split& split);

// Batches of `source`, made ahead on a stream of their own where prepare() is called.
std::unique_ptr<BatchSource> make_ahead_batches(std::unique_ptr<BatchSource> source);

// Batches of a folder of JPEGs (folder_images.h). The arguments must outlive it. Errors: as above.
Result<std::unique_ptr<BatchSource>> make_folder_batches(const TrainingJob& job,
                                                         const Dataset& dataset, const Split& split,
                                                         at::Device device,
                                                         const DecodeOptions& options);

}  // namespace lrtune

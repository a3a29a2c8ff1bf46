// Batches of images in memory.
#include <utility>

#include "worker/training/batch_source.h"

namespace lrtune {
namespace {

class MemoryBatches final : public BatchSource {
 public:
  MemoryBatches(const TrainingJob& job, const DeviceData& data, const Split& split,
                InputTransform transform)
      : job_(job), data_(data), steps_(job, split), transform_(std::move(transform)) {}

  const Dataset& dataset() const override { return data_.dataset(); }
  at::Device device() const override { return data_.device(); }

  Result<Batch> training_batch(std::int64_t iteration) override {
    const AugmentSpec& augment = job_.identity.train.input.augment;
    const std::vector<std::int64_t> samples = steps_.of(iteration);
    std::vector<Placement> placements;
    for (std::int64_t i = 0; (augment.pad > 0 || augment.flip) && i < std::ssize(samples); ++i) {
      placements.push_back(random_placement(job_.seed, iteration, i, augment.pad, augment.flip));
    }
    return batch_of(Part::kTrain, samples, placements);
  }

  Result<Batch> evaluation_batch(Part file, std::span<const std::int64_t> samples,
                                 std::size_t first, std::size_t count) override {
    return batch_of(file, samples.subspan(first, count), {});
  }

 private:
  Batch batch_of(Part file, std::span<const std::int64_t> samples,
                 std::span<const Placement> placements) const {
    const Dataset& dataset = data_.dataset();
    const ImagePart& part = file == Part::kTest ? dataset.test : dataset.train;
    Batch batch{.inputs = transform_(data_.images(file, samples, placements)),
                .labels = data_.labels(file, samples)};
    for (const std::int64_t sample : samples) {
      batch.classes.push_back(part.labels[static_cast<std::size_t>(sample)]);
    }
    return batch;
  }

  const TrainingJob& job_;
  const DeviceData& data_;
  StepSamples steps_;
  InputTransform transform_;
};

}  // namespace

StepSamples::StepSamples(const TrainingJob& job, const Split& split)
    : batch_(job.identity.train.batch),
      train_(split.train),
      order_(job.seed, std::ssize(split.train)) {}

std::vector<std::int64_t> StepSamples::of(std::int64_t iteration) {
  std::vector<std::int64_t> samples(static_cast<std::size_t>(batch_));
  order_.fill(iteration * batch_, samples);
  for (std::int64_t& sample : samples) sample = train_[static_cast<std::size_t>(sample)];
  return samples;
}

Result<std::unique_ptr<BatchSource>> make_memory_batches(const TrainingJob& job,
                                                         const DeviceData& data,
                                                         const Split& split) {
  const InputSpec& spec = job.identity.train.input;
  const ImageStatistics* statistics = needs_statistics(spec) ? &data.statistics(split) : nullptr;
  auto transform =
      InputTransform::make(spec, input_size(spec, data.dataset()), statistics, data.device());
  if (!transform) return tl::unexpected(transform.error());
  return std::make_unique<MemoryBatches>(job, data, split, *std::move(transform));
}

}  // namespace lrtune

// Batches of a folder of JPEGs.
#include <utility>

#include "worker/training/batch_source.h"
#include "worker/training/folder_images.h"

namespace lrtune {
namespace {

class FolderBatches final : public BatchSource {
 public:
  FolderBatches(const TrainingJob& job, const Dataset& dataset, const Split& split,
                at::Device device, const DecodeOptions& options, InputTransform transform)
      : dataset_(dataset),
        device_(device),
        size_(input_size(job.identity.train.input, dataset)),
        transform_(std::move(transform)),
        images_(job, dataset, split, options) {}

  const Dataset& dataset() const override { return dataset_; }
  at::Device device() const override { return device_; }
  std::string remarks() const override { return images_.remarks(); }

  Result<Batch> training_batch(std::int64_t iteration) override {
    return on_device(images_.training_batch(iteration));
  }

  Result<Batch> evaluation_batch(Part file, std::span<const std::int64_t> samples,
                                 std::size_t first, std::size_t count) override {
    return on_device(images_.evaluation_batch(file, samples, first, count));
  }

 private:
  Result<Batch> on_device(Result<DecodedBatch> decoded) const {
    if (!decoded) return tl::unexpected(decoded.error());
    const auto samples = std::ssize(decoded->classes);
    // Views of `decoded`, which stays until both are copied or converted.
    const at::Tensor pixels = at::from_blob(
        decoded->pixels.data(), {samples, size_.rows, size_.columns, size_.channels}, at::kByte);
    const at::Tensor labels = at::from_blob(decoded->classes.data(), {samples}, at::kLong);
    return Batch{.inputs = transform_(pixels.to(device_)),
                 .labels = labels.to(device_, labels.scalar_type(), /*non_blocking=*/false,
                                     /*copy=*/true),
                 .classes = std::move(decoded->classes)};
  }

  const Dataset& dataset_;
  const at::Device device_;
  const ImageSize size_;
  const InputTransform transform_;
  FolderImages images_;
};

}  // namespace

Result<std::unique_ptr<BatchSource>> make_folder_batches(const TrainingJob& job,
                                                         const Dataset& dataset, const Split& split,
                                                         at::Device device,
                                                         const DecodeOptions& options) {
  const InputSpec& spec = job.identity.train.input;
  auto transform = InputTransform::make(spec, input_size(spec, dataset), nullptr, device);
  if (!transform) return tl::unexpected(transform.error());
  return std::make_unique<FolderBatches>(job, dataset, split, device, options,
                                         *std::move(transform));
}

}  // namespace lrtune

// Training batches that are made and copied while the device computes the step before.
#include <optional>
#include <utility>

#include "worker/training/batch_source.h"
#include "worker/training/device.h"

namespace lrtune {
namespace {

class AheadBatches final : public BatchSource {
 public:
  explicit AheadBatches(std::unique_ptr<BatchSource> source)
      : source_(std::move(source)), stream_(source_->device()) {}

  const Dataset& dataset() const override { return source_->dataset(); }
  at::Device device() const override { return source_->device(); }
  std::string remarks() const override { return source_->remarks(); }

  void prepare(std::int64_t iteration) override {
    if (ready_ && ready_->iteration == iteration) return;
    stream_.run([&] { ready_.emplace(iteration, source_->training_batch(iteration)); });
  }

  Result<Batch> training_batch(std::int64_t iteration) override {
    if (!ready_ || ready_->iteration != iteration) return source_->training_batch(iteration);
    Result<Batch> batch = std::move(ready_->batch);
    ready_.reset();
    if (batch) stream_.hand_over({batch->inputs, batch->labels});
    return batch;
  }

  Result<Batch> evaluation_batch(Part file, std::span<const std::int64_t> samples,
                                 std::size_t first, std::size_t count) override {
    return source_->evaluation_batch(file, samples, first, count);
  }

 private:
  struct Ready {
    Ready(std::int64_t the_iteration, Result<Batch> the_batch)
        : iteration(the_iteration), batch(std::move(the_batch)) {}
    std::int64_t iteration;
    Result<Batch> batch;
  };

  std::unique_ptr<BatchSource> source_;
  SideStream stream_;
  std::optional<Ready> ready_;
};

}  // namespace

std::unique_ptr<BatchSource> make_ahead_batches(std::unique_ptr<BatchSource> source) {
  return std::make_unique<AheadBatches>(std::move(source));
}

}  // namespace lrtune

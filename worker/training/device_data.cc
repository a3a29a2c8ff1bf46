#include "worker/training/device_data.h"

#include <utility>

#include "worker/training/device.h"

namespace lrtune {
namespace {

// from_blob wants a pointer that may be written through; nothing writes here.
template <typename T>
at::Tensor view_of(const std::vector<T>& values, at::IntArrayRef shape, at::ScalarType type) {
  return at::from_blob(const_cast<T*>(values.data()), shape, at::TensorOptions(type));
}

Batch views_of(const Dataset& dataset, const ImagePart& part) {
  const std::int64_t samples = part.samples();
  return {
      view_of(part.pixels, {samples, dataset.channels, dataset.rows, dataset.columns}, at::kByte),
      view_of(part.labels, {samples}, at::kLong)};
}

std::int64_t bytes_of(const Batch& part) {
  return static_cast<std::int64_t>(part.images.nbytes() + part.labels.nbytes());
}

Batch copied_to(const Batch& part, at::Device device) {
  return {part.images.to(device), part.labels.to(device)};
}

}  // namespace

DeviceData::DeviceData(std::shared_ptr<const Dataset> dataset, at::Device device)
    : dataset_(std::move(dataset)),
      device_(device),
      train_(views_of(*dataset_, dataset_->train)),
      test_(views_of(*dataset_, dataset_->test)) {
  if (device.is_cpu() || !has_room(device, bytes_of(train_) + bytes_of(test_))) return;
  train_ = copied_to(train_, device);
  test_ = copied_to(test_, device);
  finish_work(device);  // other threads will read them on their own streams
}

Batch DeviceData::train_batch(std::span<const std::int64_t> samples) const {
  return batch_of(train_, samples);
}
Batch DeviceData::test_batch(std::span<const std::int64_t> samples) const {
  return batch_of(test_, samples);
}

Batch DeviceData::batch_of(const Batch& all, std::span<const std::int64_t> samples) const {
  const at::Tensor numbers = at::from_blob(const_cast<std::int64_t*>(samples.data()),
                                           {std::ssize(samples)}, at::TensorOptions(at::kLong))
                                 .to(all.images.device());
  return {all.images.index_select(0, numbers).to(device_),
          all.labels.index_select(0, numbers).to(device_)};
}

}  // namespace lrtune

#include "worker/training/device_data.h"

#include <utility>
#include <vector>

#include "worker/training/device.h"

namespace lrtune {
namespace {

// from_blob wants a pointer that may be written through; nothing writes here.
template <typename T>
at::Tensor view_of(std::span<const T> values, at::IntArrayRef shape, at::ScalarType type) {
  return at::from_blob(const_cast<T*>(values.data()), shape, at::TensorOptions(type));
}

at::Tensor numbers_of(std::span<const std::int64_t> samples, at::Device device) {
  return view_of(samples, {std::ssize(samples)}, at::kLong).to(device);
}

ImageSize size_of(const Dataset& dataset) {
  return {dataset.rows, dataset.columns, dataset.channels};
}

}  // namespace

DeviceData::Tensors DeviceData::views_of(const Dataset& dataset, const ImagePart& part) {
  const std::int64_t samples = part.samples();
  return {view_of(std::span(part.pixels),
                  {samples, dataset.rows, dataset.columns, dataset.channels}, at::kByte),
          view_of(std::span(part.labels), {samples}, at::kLong)};
}

DeviceData::DeviceData(std::shared_ptr<const Dataset> dataset, at::Device device)
    : dataset_(std::move(dataset)),
      device_(device),
      train_(views_of(*dataset_, dataset_->train)),
      test_(views_of(*dataset_, dataset_->test)) {
  const auto bytes = train_.images.nbytes() + train_.labels.nbytes() + test_.images.nbytes() +
                     test_.labels.nbytes();
  if (device.is_cpu() || !has_room(device, static_cast<std::int64_t>(bytes))) return;
  for (Tensors* part : {&train_, &test_}) {
    part->images = part->images.to(device);
    part->labels = part->labels.to(device);
  }
  finish_work(device);  // other threads will read them on their own streams
}

at::Tensor DeviceData::images(Part file, std::span<const std::int64_t> samples,
                              std::span<const Placement> placements) const {
  const at::Tensor& all = tensors(file).images;
  const bool on_cpu = all.device().is_cpu();
  if (placements.empty() || !on_cpu) {
    const at::Tensor chosen = all.index_select(0, numbers_of(samples, all.device()));
    return placements.empty() ? chosen.to(device_) : placed_images(chosen, placements);
  }
  const ImageSize size = size_of(*dataset_);
  at::Tensor chosen =
      at::empty({std::ssize(samples), size.rows, size.columns, size.channels}, at::kByte);
  const ImagePart& part = file == Part::kTest ? dataset_->test : dataset_->train;
  copy_images(part.pixels, size, samples, placements,
              {chosen.data_ptr<std::uint8_t>(), chosen.nbytes()});
  return chosen.to(device_);
}

at::Tensor DeviceData::labels(Part file, std::span<const std::int64_t> samples) const {
  const at::Tensor& all = tensors(file).labels;
  return all.index_select(0, numbers_of(samples, all.device())).to(device_);
}

const ImageStatistics& DeviceData::statistics(const Split& split) const {
  const std::lock_guard lock(mutex_);
  auto [entry, is_new] = statistics_.try_emplace(split.train.size());
  if (is_new) {
    entry->second = image_statistics(dataset_->train.pixels, size_of(*dataset_), split.train);
  }
  return entry->second;
}

at::Tensor placed_images(const at::Tensor& images, std::span<const Placement> placements) {
  const std::int64_t rows = images.size(1);
  const std::int64_t columns = images.size(2);
  const auto samples = std::ssize(placements);
  std::vector<std::int64_t>
      numbers;  // of each: first column, step from column to column, first row
  for (const Placement& place : placements) {
    const std::int64_t start = place.mirrored ? columns - 1 : 0;
    numbers.insert(numbers.end(), {start + place.right, place.mirrored ? -1 : 1, place.down});
  }
  const at::Tensor table = numbers_of(numbers, images.device()).view({samples, 3, 1});
  const auto long_type = at::TensorOptions(at::kLong).device(images.device());
  const at::Tensor column =
      table.select(1, 0) + table.select(1, 1) * at::arange(columns, long_type);
  const at::Tensor row = table.select(1, 2) + at::arange(rows, long_type);
  const at::Tensor row_inside = row.ge(0).logical_and(row.lt(rows)).view({samples, rows, 1, 1});
  const at::Tensor column_inside =
      column.ge(0).logical_and(column.lt(columns)).view({samples, 1, columns, 1});
  const at::Tensor taken = images.index({at::arange(samples, long_type).view({samples, 1, 1}),
                                         row.clamp(0, rows - 1).view({samples, rows, 1}),
                                         column.clamp(0, columns - 1).view({samples, 1, columns})});
  return taken * row_inside.logical_and(column_inside);
}

}  // namespace lrtune

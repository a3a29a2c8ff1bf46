// A data set's images and labels as tensors, and samples of them on the computing device.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "worker/training/datasets.h"
#include "worker/training/image_batch.h"
#include "worker/training/sampler.h"
#include "worker/training/torch_headers.h"

namespace lrtune {

// Shared by the jobs of a process; any thread may use it. On a GPU the data stay there if they fit,
// else each batch is copied. Samples are numbered within the training file (with what is held out)
// or the test file.
class DeviceData {
 public:
  DeviceData(std::shared_ptr<const Dataset> dataset, at::Device device);

  const Dataset& dataset() const { return *dataset_; }
  at::Device device() const { return device_; }

  // Bytes, samples x rows x columns x channels, on the device. `placements`: one a sample, or none
  // for the images as they are.
  at::Tensor images(Part file, std::span<const std::int64_t> samples,
                    std::span<const Placement> placements = {}) const;
  at::Tensor labels(Part file,
                    std::span<const std::int64_t> samples) const;  // int64, on the device

  // Of the training part of this split; computed once for each share that is held out.
  const ImageStatistics& statistics(const Split& split) const;

 private:
  struct Tensors {
    at::Tensor images;
    at::Tensor labels;
  };
  static Tensors views_of(const Dataset& dataset, const ImagePart& part);
  const Tensors& tensors(Part file) const { return file == Part::kTest ? test_ : train_; }

  std::shared_ptr<const Dataset> dataset_;  // the tensors on the CPU are views of its memory
  at::Device device_;
  Tensors train_;
  Tensors test_;
  mutable std::mutex mutex_;
  mutable std::map<std::size_t, ImageStatistics> statistics_;  // by the training part's size
};

// `images` at their placements, by tensor operations on any device: what copy_images does with
// bytes. `images` are the samples themselves.
at::Tensor placed_images(const at::Tensor& images, std::span<const Placement> placements);

}  // namespace lrtune

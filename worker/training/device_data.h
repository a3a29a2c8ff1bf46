// A data set's images and labels as tensors, and batches of them on the computing device.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "worker/training/datasets.h"
#include "worker/training/torch_headers.h"

namespace lrtune {

struct Batch {
  at::Tensor images;  // bytes, samples x channels x rows x columns
  at::Tensor labels;  // int64, samples
};

// Shared by the jobs of a process; any thread may take batches. On a GPU the data stay there if
// they fit, else each batch is copied.
class DeviceData {
 public:
  DeviceData(std::shared_ptr<const Dataset> dataset, at::Device device);

  const Dataset& dataset() const { return *dataset_; }
  at::Device device() const { return device_; }

  // The samples with these numbers in the training file (with what is held out) or the test file.
  Batch train_batch(std::span<const std::int64_t> samples) const;
  Batch test_batch(std::span<const std::int64_t> samples) const;

 private:
  Batch batch_of(const Batch& all, std::span<const std::int64_t> samples) const;

  std::shared_ptr<const Dataset> dataset_;  // the tensors on the CPU are views of its memory
  at::Device device_;
  Batch train_;
  Batch test_;
};

}  // namespace lrtune

// Lower precision inside of networks.
#pragma once

#include "common/training.h"
#include "worker/training/torch_headers.h"

namespace lrtune {

// While it lives, the calling thread's networks compute as `precision` says: for bfloat16 with
// LibTorch's autocast, which decides for each operation. One at a time in a thread; a pass and its
// loss inside, the gradients outside.
class AutocastScope {
 public:
  AutocastScope(at::Device device, Precision precision);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  const at::DeviceType device_;
  const bool on_;
};

}  // namespace lrtune

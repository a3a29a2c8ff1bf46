// Finds the first iteration whose training loss was NaN or infinite without making the device wait
// at each step.
#pragma once

#include <cstdint>
#include <optional>

#include "worker/training/torch_headers.h"

namespace lrtune {

// On the CPU a loss is looked at when it is noted. On a GPU a word on the device keeps the first
// bad iteration.
class LossWatch {
 public:
  explicit LossWatch(at::Device device);

  void note(const at::Tensor& loss, std::int64_t iteration);  // loss: one number
  std::optional<std::int64_t> first_bad() const;              // on a GPU: waits for what was noted

  // After so many notes it is worth to look, since training on is in vain.
  std::int64_t look_every() const { return on_cpu_ ? 1 : 100; }

 private:
  bool on_cpu_;
  std::int64_t first_bad_ = -1;
  at::Tensor device_word_;  // int64, -1: none
};

}  // namespace lrtune

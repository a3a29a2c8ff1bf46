// M-opt while a run trains: formula (7) of Wu & Liu from three consecutive iterates, the parameters
// before a step, after it and after the next, every so many iterations. It reads the parameters and
// changes nothing.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "common/training.h"
#include "worker/training/models.h"

namespace lrtune {

// Used by the run's thread.
class MoptMeter {
 public:
  // Windows begin at 0, `every`, 2 * `every` ...; 0: none does. Keeps the parameters' tensors.
  MoptMeter(std::span<const Parameter> parameters, std::int64_t every);

  // Iteration `t` is about to change the parameters; has changed them, with `rate`.
  void before_step(std::int64_t t);
  void after_step(std::int64_t t, double rate);

  // Whether one step of a window is made and one is missing: what a checkpoint does not hold.
  bool amid_window() const { return !middle_.empty(); }

  // The values so far, by iteration; take() forgets them.
  const std::vector<MoptValue>& values() const { return values_; }
  std::vector<MoptValue> take() { return std::exchange(values_, {}); }
  void restore(std::vector<MoptValue> values) { values_ = std::move(values); }

 private:
  std::vector<at::Tensor> copies() const;

  std::vector<at::Tensor> parameters_;
  const std::int64_t every_;
  std::vector<at::Tensor> first_;   // before the first step of a window; else empty
  std::vector<at::Tensor> middle_;  // after it
  std::vector<MoptValue> values_;
};

}  // namespace lrtune

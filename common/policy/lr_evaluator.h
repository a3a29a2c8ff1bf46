// An LR function made ready for many values: what does not depend on t is computed once. Inside of
// common/policy; others call evaluate, learning_rate and learning_rates.
#pragma once

#include <cstdint>
#include <span>

#include "common/policy/cyclic_shape.h"
#include "common/policy/policy.h"
#include "common/policy/portable_math.h"

namespace lrtune {

class LrEvaluator {
 public:
  // `function` must outlive the evaluator.
  explicit LrEvaluator(const LrFunction& function);

  double at(std::int64_t t) const;

  // rates[i] = at(first + i), the same bits.
  void fill(std::int64_t first, std::span<double> rates) const;

 private:
  // Where in its wave t is: t = cycle * 2l + offset, 0 <= offset < 2l.
  struct Phase {
    std::int64_t cycle;
    std::int64_t offset;
  };

  double decaying_at(std::int64_t t) const;
  double cyclic_at(std::int64_t t, Phase phase) const;
  double wave(Phase phase) const;
  double envelope(std::int64_t t, Phase phase) const;
  void fill_cyclic(std::int64_t first, std::span<double> rates) const;
  void fill_steps(std::int64_t first, std::span<double> rates) const;

  const LrFunction& function_;
  bool cyclic_;
  std::int64_t l_;
  DoubleDouble log_gamma_;
  // Cyclic functions.
  double low_;
  double high_;
  CyclicShape shape_;
};

}  // namespace lrtune

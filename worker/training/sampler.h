// Which samples a training step sees, and which are held out. Pure functions of their arguments.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/result.h"

namespace lrtune {

// The order of training samples: an endless sequence of permutations of 0 .. samples-1, one an
// epoch, each a function of (seed, epoch). Batches are cut from it, so each is full and one may
// cross from an epoch into the next, as Caffe does. Position p of the sequence is in epoch p /
// samples; nothing else is state, so a run can start anywhere.
class SampleOrder {
 public:
  SampleOrder(std::uint64_t seed, std::int64_t samples);  // samples: at least 1

  // The samples at positions first .. first + out.size() - 1.
  void fill(std::int64_t first, std::span<std::int64_t> out);

 private:
  std::uint64_t seed_;
  std::int64_t samples_;
  std::int64_t epoch_ = -1;  // whose permutation order_ holds
  std::vector<std::int64_t> order_;
};

// The parts of a training file, as sample numbers in ascending order.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
};

// Holds out round(share * samples) samples, at least one if share is above 0. Which ones depends on
// the number of samples alone, not on any seed: all policies and repeats share the split, and the
// validation part of a smaller share lies within that of a larger one. Errors: no sample is left
// for one of the parts.
Result<Split> split_training_data(std::int64_t samples, double share);

// The samples that train metrics come from: min(count, train.size()) random ones of `train`, the
// same for all seeds, ascending. `samples` is that of the whole training file; a smaller count
// gives a subset of a larger one.
std::vector<std::int64_t> train_subset(const Split& split, std::int64_t samples,
                                       std::int64_t count);

}  // namespace lrtune

// A trainer without a network, for tests, benchmarks and thread checks: its metrics are a smooth
// function of the learning rates applied and of the seed, so that policies rank sensibly and runs
// repeat exactly.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "worker/training/trainer.h"

namespace lrtune {

struct SyntheticOptions {
  // Time that an iteration takes, without using a core; 0: none. Stopping takes at most 1 ms.
  std::chrono::microseconds iteration_time{0};
  double diverge_above = 1.0;  // an iteration with a higher learning rate has no finite loss
  int threads = 1;             // the most that a job may ask for
  // The thread of a job that comes to this iteration hangs for ever: it makes no step and does not
  // see that it is to stop. Negative: none does.
  std::int64_t hang_at = -1;
  // If not empty: only the first thread that makes this file hangs; it is there from then on.
  std::filesystem::path hang_once = {};
};

// Any data set name is known: 60,000 training and 10,000 test samples, 10 classes, whatever the
// path.
std::unique_ptr<Trainer> make_synthetic_trainer(const SyntheticOptions& options = {});

}  // namespace lrtune

// Training with LibTorch. The header includes none of it, so that programs compile without it; link
// lrtune_training (CPU) or lrtune_training_cuda.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "worker/checkpoints/run_checkpoints.h"
#include "worker/training/decode_pool.h"
#include "worker/training/trainer.h"

namespace lrtune {

struct LibtorchOptions {
  std::string device = "cpu";  // device_name.h
  int threads = 0;             // the most that a job may ask for; 0: as many as the machine has
  CheckpointOptions checkpoints = {};
  // Folders that networks of users are taken from.
  std::vector<std::filesystem::path> trusted = {};
  DecodeOptions decoding = {};  // of image folders
  bool record_steps = false;    // as CUDA graphs (loss_gradient.h)
  // Makes batches ahead on the CPU too, where it gains nothing: for tests.
  bool always_ahead = false;
};

// Sets LibTorch up for this process (allocator, determinism) and returns its trainer. Call it once,
// before other threads run. Errors: the device is unknown, not in this build, or not in this
// machine.
Result<std::unique_ptr<Trainer>> make_libtorch_trainer(const LibtorchOptions& options);

}  // namespace lrtune

// Which back end a worker program trains with. What is linked in differs between the programs
// (worker/programs.cmake); the words are the same.
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

struct TrainerChoice {
  std::string trainer;         // "libtorch", "synthetic" or "synthetic:KEY=VALUE,..."
  std::string device = "cpu";  // training/device_name.h
  int threads = 1;             // the most that a job may ask for
  CheckpointOptions checkpoints = {};
  std::vector<std::filesystem::path> trusted = {};  // folders that networks of users are taken from
  DecodeOptions decoding = {};                      // of image folders
  bool record_steps = false;                        // as CUDA graphs
};

std::string default_trainer();     // "libtorch" where it is linked in, else "synthetic"
std::string available_trainers();  // "libtorch, synthetic"
std::string available_devices();   // that this program was built for: "cpu", "cpu, cuda"

// Keys of the synthetic trainer: iteration_us (time of an iteration, microseconds), diverge_above
// (the learning rate from which on the loss is not finite), hang_at (the iteration at which a
// thread hangs) and hang_once (a file: only the thread that makes it hangs). Errors: an unknown
// trainer, key or value; a device that this program or this machine has not.
Result<std::unique_ptr<Trainer>> make_trainer(const TrainerChoice& choice);

}  // namespace lrtune

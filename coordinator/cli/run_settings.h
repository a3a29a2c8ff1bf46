// What `lrtune run` derives from its options and its experiment before anything is started.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/config/from_range_test.h"
#include "common/result.h"

namespace lrtune {

struct RunOptions {
  std::string file;
  int workers = 0;     // local ones; 0: as many as the cores allow
  std::string listen;  // for workers of other machines, and then no local ones; empty: nowhere
  std::string keys;    // folder, for `listen`; empty: none
  std::string store = "lrtune.db";
  std::string device;       // empty: as the file says
  std::string output;       // empty: lrtune-results/NAME-HASH
  std::string checkpoints;  // folder; empty: beside the store, STORE.checkpoints
  bool no_checkpoints = false;
  bool no_stage_sharing = false;
  bool json = false;
  std::vector<std::string> trusted;           // folders that workers take networks of users from
  std::string worker_program;                 // empty: beside this program
  std::vector<std::string> worker_arguments;  // passed on as they are
};

// The experiment of options.file with --device put in: that makes it another experiment, with
// another hash. `range` is what its `{from: range-test}` stand for. Errors: FILE:LINE, or that the
// file cannot be read.
Result<Experiment> read_experiment(const RunOptions& options, const Result<RangeFinding>& range);

// What the local workers must offer, as the experiment's `train` says.
struct WorkerNeeds {
  std::string device;
  int threads = 1;  // per slot
};
WorkerNeeds worker_needs(const Experiment& experiment);

// Cores divided by threads, at least 1, and no more than can ever train side by side; on a GPU 1.
// Nothing but time depends on it.
int default_workers(std::span<const Experiment> experiments, const WorkerNeeds& needs, int cores);

// "lrtune-results/NAME-HASH", with eight digits of the hash.
std::filesystem::path default_output(const Experiment& experiment);

// Where workers keep runs, to go on with them: options.checkpoints, or the store's path with the
// ending .checkpoints. Nothing if the options want none. Makes the folder. Errors: it cannot be
// made or written.
Result<std::optional<std::filesystem::path>> checkpoint_folder(const RunOptions& options);

// lrtune-worker, or lrtune-worker-cuda for a GPU, in `folder`. Errors: it is not there.
Result<std::filesystem::path> worker_program(const RunOptions& options, const WorkerNeeds& needs,
                                             const std::filesystem::path& folder);

}  // namespace lrtune

// Who carries out the campaigns of `range-test`, `verify` and `compose`: this process, with a store
// of its own, or a coordinator that is running already.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "common/config/experiment.h"
#include "common/result.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/output_folder.h"
#include "coordinator/cli/run_settings.h"
#include "coordinator/core/records.h"

namespace CLI {
class App;
}

namespace lrtune {

struct RunnerOptions {
  RunOptions local;      // its file, store, keys and output count at a coordinator, too
  ClientOptions client;  // whom to ask
  bool here = false;     // an option was given that a coordinator has no use for
};

class CampaignRunner {
 public:
  virtual ~CampaignRunner() = default;

  // Trains until the campaigns are done, side by side; those that are already are not trained
  // again. kExitDone, or the exit code of what was said: kExitResumable after a signal,
  // kExitBadInput if no trial of one could be made, kExitFailure. REQUIRES: all of one way of
  // training.
  virtual int carry_out(std::span<const Experiment> experiments, const OutputFolder& output) = 0;

  // All that the store has.
  virtual Result<StoredState> stored() = 0;

  // Keeps a judgement about a trial, for `lrtune why` and `lrtune replay`. kExitDone, or as
  // carry_out().
  virtual int keep(const DecisionRecord& judgement) = 0;
};

// The options of a command that carries campaigns out: add_local_options(), and --coordinator.
// `options` must outlive the command line's parsing and the command.
void add_runner_options(CLI::App& command, RunnerOptions& options);

// A runner for `options`, which must outlive it: at the coordinator that --coordinator or
// LRTUNE_COORDINATOR names, whose store is read as a file (options.local.store); else here.
// Otherwise the exit code, said why. Before any thread is started: it takes the process's stop
// signals.
tl::expected<std::unique_ptr<CampaignRunner>, int> campaign_runner(const RunnerOptions& options);

}  // namespace lrtune

// Campaigns that are carried out by this process and local workers, which end with it: what `run`,
// `range-test` and `verify` have in common.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "common/config/experiment.h"
#include "coordinator/cli/output_folder.h"
#include "coordinator/cli/run_settings.h"
#include "coordinator/report/results.h"
#include "coordinator/store/sqlite_store.h"

namespace CLI {
class App;
}

namespace lrtune {

// The options of a command that carries campaigns out: --workers, --store, --device, --output,
// --checkpoints and so on. `options` must outlive the command line's parsing and the command.
void add_local_options(CLI::App& command, RunOptions& options);

// Says why on standard error and gives the exit code.
int say_error(const Error& error, int exit_code);

// The store of options.store, made if it is not there. Otherwise the exit code, said why.
tl::expected<std::unique_ptr<SqliteStore>, int> open_store(const RunOptions& options);

// The experiment of options.file as it is carried out: rates that its policies take from a range
// test come out of options.store, and it is said which. Otherwise the exit code, said why.
tl::expected<Experiment, int> experiment_to_run(const RunOptions& options);

// Trains until the campaigns of `experiments`, side by side, are done; those that are already, are
// not trained again. kExitDone, or the exit code of what was said: kExitResumable after a signal,
// kExitBadInput if no trial of one could be made, kExitFailure. Takes the process's stop signals
// while it runs. REQUIRES: all of one way of training.
int carry_out(const RunOptions& options, std::span<const Experiment> experiments,
              SqliteStore& store, const OutputFolder& output);

}  // namespace lrtune

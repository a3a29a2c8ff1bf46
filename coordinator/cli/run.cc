#include "coordinator/cli/run.h"

#include <CLI/Option.hpp>
#include <csignal>
#include <memory>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/local_campaign.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/report/result_charts.h"

namespace lrtune {
namespace {

int show_results(const RunOptions& options, const Experiment& experiment, SqliteStore& store,
                 const OutputFolder& output) {
  const auto stored = store.load();
  if (!stored) return say_error(stored.error(), kExitFailure);
  const auto results = collect_results(*stored, experiment.hash);
  if (!results) return say_error(results.error(), kExitFailure);
  const auto files = write_result_files(*results, output.path());
  if (!files) return say_error(files.error(), kExitFailure);

  const std::string best = best_policy_yaml(*results);
  std::string text;
  if (options.json) {
    nlohmann::json document = to_json(*results);
    for (const auto& file : *files) document["files"].push_back(file.string());
    text = document.dump(2) + '\n';
  } else {
    text = results_text(*results, terminal_of(1));
    if (!best.empty()) text += '\n' + best;
  }
  if (!write_data(text)) return kExitFailure;
  say("lrtune: results, plots and logs are in {}\n", output.path().string());
  if (best.empty()) return say_error({"no policy ended well"}, kExitFailure);
  return kExitDone;
}

int run(const RunOptions& options) {
  // Whoever read the progress may go away; the run does not.
  std::signal(SIGPIPE, SIG_IGN);
  const auto experiment = experiment_to_run(options);
  if (!experiment) return experiment.error();
  const auto store = open_store(options);
  if (!store) return store.error();
  const auto output = OutputFolder::open(
      options.output.empty() ? default_output(*experiment) : std::filesystem::path(options.output));
  if (!output) return say_error(output.error(), kExitFailure);
  if (const int code = carry_out(options, {&*experiment, 1}, **store, *output); code != kExitDone)
    return code;
  return show_results(options, *experiment, **store, *output);
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand(
      "run", "Carries an experiment out with workers on this machine, or goes on with it");
  command->add_option("file", options->file, "The experiment (docs/EXPERIMENTS.md)")->required();
  add_local_options(*command, *options);
  command->add_flag("--json", options->json, "Prints one JSON document instead of tables");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace lrtune

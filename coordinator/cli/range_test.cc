#include "coordinator/cli/range_test.h"

#include <CLI/Option.hpp>
#include <algorithm>
#include <csignal>
#include <memory>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/local_campaign.h"
#include "coordinator/cli/range_test_plan.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/cli/terminal.h"

namespace lrtune {
namespace {

struct RangeTestCommand {
  RunOptions local;
  RangeTestSettings settings;
};

Result<TrainingIdentity> identity_of(const StoredState& stored, const CampaignResults& results) {
  if (results.policies.empty()) return fail("no run of the range test has ended");
  const Digest& hash = results.policies.front().search.trial.identity;
  const auto found = std::ranges::find(stored.identities, hash, &IdentityRecord::hash);
  if (found == stored.identities.end()) return fail("the store has lost a training identity");
  return found->identity;
}

int show(const RangeTestCommand& command, const Experiment& experiment, const Experiment& test,
         SqliteStore& store, const OutputFolder& output) {
  const auto stored = store.load();
  if (!stored) return say_error(stored.error(), kExitFailure);
  const auto results = collect_results(*stored, test.hash);
  if (!results) return say_error(results.error(), kExitFailure);
  const auto identity = identity_of(*stored, *results);
  if (!identity) return say_error(identity.error(), kExitFailure);
  const auto report = range_report(experiment, command.settings, *results, *identity);
  if (!report) return say_error(report.error(), kExitFailure);
  const std::string document = to_json(*report).dump(2) + '\n';
  const auto files = write_files(
      {{"range.json", document}, {"range.svg", to_svg(range_chart(*report))}}, output.path());
  if (!files) return say_error(files.error(), kExitFailure);
  if (!write_data(command.local.json ? document : range_text(*report, terminal_of(1))))
    return kExitFailure;
  say("lrtune: results, plots and logs are in {}\n", output.path().string());
  return kExitDone;
}

int run(RangeTestCommand command) {
  std::signal(SIGPIPE, SIG_IGN);
  if (command.settings.epochs.empty() && command.settings.iterations.empty())
    command.settings.epochs = {1, 2};  // as LRBench does
  const auto experiment = read_experiment(command.local);
  if (!experiment) return say_error(experiment.error(), kExitBadInput);
  const auto test = range_test_experiment(*experiment, command.settings);
  if (!test) return say_error(test.error(), kExitBadInput);
  const auto store = open_store(command.local);
  if (!store) return store.error();
  const auto output = OutputFolder::open(command.local.output.empty()
                                             ? default_output(*test)
                                             : std::filesystem::path(command.local.output));
  if (!output) return say_error(output.error(), kExitFailure);
  if (const int code = carry_out(command.local, *test, **store, *output); code != kExitDone)
    return code;
  return show(command, *experiment, *test, **store, *output);
}

}  // namespace

void add_range_test_command(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<RangeTestCommand>();
  RangeTestSettings& settings = command->settings;
  CLI::App* parser = app.add_subcommand(
      "range-test", "Finds which learning rates are worth searching for an experiment");
  parser->add_option("file", command->local.file, "The experiment (docs/EXPERIMENTS.md)")
      ->required();
  parser->add_option("--low", settings.low, "Lowest rate of the grid")->capture_default_str();
  parser->add_option("--high", settings.high, "Highest rate")->capture_default_str();
  parser->add_option("--rates", settings.rates, "Rates of the grid, even in the logarithm")
      ->check(CLI::Range(3, 1000))
      ->capture_default_str();
  auto* epochs = parser
                     ->add_option("--epochs", settings.epochs,
                                  "Lengths of the runs, multiples of the first; default: 1,2")
                     ->delimiter(',');
  parser->add_option("--iterations", settings.iterations, "The same in iterations")
      ->delimiter(',')
      ->excludes(epochs);
  parser->add_option("--seeds", settings.seeds, "Runs of each rate, side by side")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  add_local_options(*parser, command->local);
  parser->add_flag("--json", command->local.json, "Prints one JSON document instead of a table");
  parser->callback([command, &exit_code] { exit_code = run(*command); });
}

}  // namespace lrtune

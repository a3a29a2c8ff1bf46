#include "coordinator/cli/range_test.h"

#include <CLI/Option.hpp>
#include <csignal>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "coordinator/cli/campaign_runner.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/local_campaign.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/methods/comparison.h"
#include "coordinator/methods/range_test_plan.h"

namespace lrtune {
namespace {

struct RangeTestCommand {
  RunnerOptions runner;
  RangeTestSettings settings;
};

// The campaigns that it takes: one, or a ramp's for each seed.
Result<std::vector<Experiment>> campaigns_of(const RangeTestSettings& settings,
                                             const Experiment& experiment) {
  std::vector<Experiment> campaigns;
  for (int seed = 0; seed < (settings.ramp ? settings.seeds : 1); ++seed) {
    auto made = settings.ramp ? ramp_experiment(experiment, settings, seed)
                              : range_test_experiment(experiment, settings);
    if (!made) return tl::unexpected(made.error());
    campaigns.push_back(*std::move(made));
  }
  return campaigns;
}

Result<RangeReport> report_on(const RangeTestSettings& settings, const Experiment& experiment,
                              std::span<const Experiment> campaigns, CampaignRunner& runner) {
  const auto stored = runner.stored();
  if (!stored) return tl::unexpected(stored.error());
  std::vector<CampaignResults> results;
  for (const Experiment& campaign : campaigns) {
    auto of_campaign = collect_results(*stored, campaign.hash);
    if (!of_campaign) return tl::unexpected(of_campaign.error());
    if (auto good = check_not_extended(of_campaign->campaign); !good)
      return tl::unexpected(good.error());
    results.push_back(*std::move(of_campaign));
  }
  const auto identity = identity_of(*stored, results.front());
  if (!identity) return tl::unexpected(identity.error());
  return settings.ramp ? ramp_report(experiment, results, *identity)
                       : range_report(experiment, settings, results.front(), *identity);
}

int show(const RangeTestCommand& command, const RangeReport& report, const OutputFolder& output) {
  const std::string document = to_json(report).dump(2) + '\n';
  const auto files = write_files(
      {{"range.json", document}, {"range.svg", to_svg(range_chart(report))}}, output.path());
  if (!files) return say_error(files.error(), kExitFailure);
  if (!write_data(command.runner.local.json ? document : range_text(report, terminal_of(1))))
    return kExitFailure;
  say("lrtune: results, plots and logs are in {}\n", output.path().string());
  return kExitDone;
}

int run(RangeTestCommand command) {
  std::signal(SIGPIPE, SIG_IGN);
  RangeTestSettings& settings = command.settings;
  if (settings.epochs.empty() && settings.iterations.empty())
    settings.epochs = settings.ramp ? std::vector{2.0} : std::vector{1.0, 2.0};  // as LRBench does
  const auto experiment = read_experiment(command.runner.local, kAnyRangeFinding);
  if (!experiment) return say_error(experiment.error(), kExitBadInput);
  const auto campaigns = campaigns_of(settings, *experiment);
  if (!campaigns) return say_error(campaigns.error(), kExitBadInput);
  const auto runner = campaign_runner(command.runner);
  if (!runner) return runner.error();
  const auto output = OutputFolder::open(command.runner.local.output.empty()
                                             ? default_output(campaigns->front())
                                             : std::filesystem::path(command.runner.local.output));
  if (!output) return say_error(output.error(), kExitFailure);
  if (const int code = (*runner)->carry_out(*campaigns, *output); code != kExitDone) return code;
  const auto report = report_on(settings, *experiment, *campaigns, **runner);
  return report ? show(command, *report, *output) : say_error(report.error(), kExitFailure);
}

}  // namespace

void add_range_test_command(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<RangeTestCommand>();
  RangeTestSettings& settings = command->settings;
  CLI::App* parser = app.add_subcommand(
      "range-test", "Finds which learning rates are worth searching for an experiment");
  parser->add_option("file", command->runner.local.file, "The experiment (docs/EXPERIMENTS.md)")
      ->required();
  parser->add_option("--low", settings.low, "Lowest rate of the grid")->capture_default_str();
  parser->add_option("--high", settings.high, "Highest rate")->capture_default_str();
  parser->add_option("--rates", settings.rates, "Rates of the grid, even in the logarithm")
      ->check(CLI::Range(3, 1000))
      ->capture_default_str();
  auto* epochs = parser
                     ->add_option("--epochs", settings.epochs,
                                  "Lengths of the runs, multiples of the first; default: 1,2; of "
                                  "the ramp one, default: 2")
                     ->delimiter(',');
  parser->add_option("--iterations", settings.iterations, "The same in iterations")
      ->delimiter(',')
      ->excludes(epochs);
  parser->add_option("--seeds", settings.seeds, "Runs of each rate, side by side")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  parser->add_flag(
      "--ramp", settings.ramp,
      "One run a seed whose rate grows stair by stair, instead of fixed rates: cheaper");
  add_runner_options(*parser, command->runner);
  parser->add_flag("--json", command->runner.local.json,
                   "Prints one JSON document instead of a table");
  parser->callback([command, &exit_code] { exit_code = run(*command); });
}

}  // namespace lrtune

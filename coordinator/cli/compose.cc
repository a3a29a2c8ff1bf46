#include "coordinator/cli/compose.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/config/located_json.h"
#include "common/policy/policy_yaml.h"
#include "coordinator/cli/campaign_runner.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/local_campaign.h"
#include "coordinator/cli/policy_argument.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/methods/comparison.h"
#include "coordinator/methods/compose_plan.h"
#include "coordinator/methods/composition.h"
#include "coordinator/methods/generation.h"
#include "coordinator/methods/range_test_plan.h"
#include "coordinator/methods/stored_range.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {
namespace {

using nlohmann::json;

struct ComposeCommand {
  RunnerOptions runner;
  ComposeSettings settings;
  std::string method = "tree";
  std::optional<std::string> metric;
  std::optional<std::int64_t> window, cooldown;
  std::optional<double> threshold;
  std::vector<std::string> against;
  std::vector<std::string> misplaced;  // options that are another method's
};

// An exit code that ends the command; what there is to say was said.
template <typename T>
using OrExit = tl::expected<T, int>;

tl::unexpected<int> ends(const Error& error, int code) {
  return tl::unexpected(say_error(error, code));
}

WallMillis wall_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// What was given on the command line, before anything is trained.
struct Input {
  Experiment experiment;
  std::vector<json> against;
  std::optional<ComposeRange> range;  // of --low and --high
};

// One composition: a range, a search, a comparison; each resumed where an interrupted command left
// it.
class Composing {
 public:
  Composing(const ComposeCommand& command, const Input& input, CampaignRunner& runner,
            const OutputFolder& output)
      : command_(command), input_(input), runner_(runner), output_(output) {}

  OrExit<void> compose_and_show();

 private:
  OrExit<CampaignResults> carried_out(const Result<Experiment>& experiment);
  OrExit<ComposeRange> range();
  OrExit<std::optional<ComposeRange>> range_in_store() const;
  OrExit<ComposeRange> tested_range();
  OrExit<void> keep(const Composition& composition, const CampaignResults& search,
                    const CampaignResults& composed, const ComposeRange& range);
  OrExit<void> show(const Composition& composition, const CampaignResults& search,
                    const CampaignResults& composed, const ComposeRange& range) const;

  const ComposeCommand& command_;
  const ComposeSettings& settings_ = command_.settings;
  const Input& input_;
  CampaignRunner& runner_;
  const OutputFolder& output_;
};

OrExit<CampaignResults> Composing::carried_out(const Result<Experiment>& experiment) {
  if (!experiment) return ends(experiment.error(), kExitBadInput);
  if (const int code = runner_.carry_out({&*experiment, 1}, output_); code != kExitDone)
    return tl::unexpected(code);
  const auto stored = runner_.stored();
  if (!stored) return ends(stored.error(), kExitFailure);
  auto results = collect_results(*stored, experiment->hash);
  if (!results) return ends(results.error(), kExitFailure);
  if (auto good = check_not_extended(results->campaign); !good)
    return ends(good.error(), kExitBadInput);
  return *std::move(results);
}

ParameterEstimate estimate_of(const RangeFinding& found) {
  ParameterEstimate rates;
  rates.k0 = found.lower;
  rates.k1 = found.upper;
  rates.fixed = std::sqrt(found.lower * found.upper);
  rates.gamma = found.gamma;
  rates.half_cycle = found.half_cycle;
  rates.half_cycle_low = found.half_cycle_low;
  rates.half_cycle_high = found.half_cycle_high;
  return rates;
}

OrExit<std::optional<ComposeRange>> Composing::range_in_store() const {
  const auto stored = runner_.stored();
  if (!stored) return ends(stored.error(), kExitFailure);
  const auto found = stored_range(*stored, input_.experiment, "");
  if (!found) return std::nullopt;
  return ComposeRange{
      estimate_of(found->found), found->iterations,
      fmt::format("range test {} (campaign {})", found->name, found->campaign.value), found->hash};
}

// None of the store's tells both bounds: one is made, and where it cannot tell a bound either, the
// search is around its best rate.
OrExit<ComposeRange> Composing::tested_range() {
  const auto iterations = planned_iterations(input_.experiment);
  RangeTestSettings test = generation_range(iterations.value_or(0));
  if (!iterations) {  // in epochs of data whose size shows when they are looked at
    test.iterations.clear();
    test.epochs = {1, 2};
  }
  const auto results = carried_out(range_test_experiment(input_.experiment, test));
  if (!results) return tl::unexpected(results.error());
  auto told = range_in_store();
  if (!told) return tl::unexpected(told.error());
  if (*told) return **told;
  const auto stored = runner_.stored();
  if (!stored) return ends(stored.error(), kExitFailure);
  const auto identity = identity_of(*stored, *results);
  if (!identity) return ends(identity.error(), kExitFailure);
  const auto report = range_report(input_.experiment, test, *results, *identity);
  if (!report) return ends(report.error(), kExitFailure);
  const auto rates = lrtune::estimate_of(*report);
  if (!rates) {
    return ends({fmt::format("{} (campaign {}): no fixed rate learns anything, so nothing can be "
                             "composed; try --low and --high",
                             results->campaign.name, results->campaign.id.value)},
                kExitFailure);
  }
  return ComposeRange{
      *rates, report->run_iterations,
      fmt::format("the best rate of range test {} (campaign {}), which cannot tell both bounds",
                  results->campaign.name, results->campaign.id.value),
      results->campaign.hash};
}

OrExit<ComposeRange> Composing::range() {
  if (input_.range) return *input_.range;
  auto stored = range_in_store();
  if (!stored) return tl::unexpected(stored.error());
  return *stored ? OrExit<ComposeRange>(**stored) : tested_range();
}

// As a decision about the composite's own trial. The same command again finds the same, which is
// known.
OrExit<void> Composing::keep(const Composition& composition, const CampaignResults& search,
                             const CampaignResults& composed, const ComposeRange& range) {
  const auto own = std::ranges::find_if(
      composed.policies, [](const PolicyResult& one) { return one.search.trial.number == 0; });
  if (own == composed.policies.end()) return {};
  const TrialRecord& trial = own->search.trial;
  json numbers = composition_numbers(composition, search);
  numbers.update(composition_origin(settings_, range));
  const DecisionRecord judgement{trial.campaign, trial.id, wall_now(), "composed", numbers};
  const auto story =
      PolicyQueries::open(command_.runner.local.store).and_then([&](const PolicyQueries& store) {
        return store.story(trial.id);
      });
  if (!story) return ends(story.error(), kExitFailure);
  for (auto decision = story->decisions.rbegin(); decision != story->decisions.rend(); ++decision) {
    if (decision->code != judgement.code) continue;
    if (decision->numbers.json() == judgement.numbers.json()) return {};
    break;
  }
  if (const int code = runner_.keep(judgement); code != kExitDone) return tl::unexpected(code);
  return {};
}

OrExit<void> Composing::show(const Composition& composition, const CampaignResults& search,
                             const CampaignResults& composed, const ComposeRange& range) const {
  const std::string document =
      to_json(composition, search, composed, settings_, range).dump(2) + '\n';
  const std::string policy = fmt::format("# Composed by lrtune compose (campaigns {} and {})\n",
                                         search.campaign.id.value, composed.campaign.id.value) +
                             policy_to_yaml(composition.composite);
  auto files = write_result_files(composed, output_.path()).and_then([&](const auto&) {
    return write_files({{"compose.json", document}, {"composite.yaml", policy}}, output_.path());
  });
  if (!files) return ends(files.error(), kExitFailure);
  const std::string text = composition_text(composition, search, composed, settings_, range);
  if (!write_data(command_.runner.local.json ? document : text))
    return tl::unexpected(kExitFailure);
  say("lrtune: composite.yaml, tables, plots and logs are in {}\n", output_.path().string());
  return {};
}

OrExit<void> Composing::compose_and_show() {
  const auto rates = range();
  if (!rates) return tl::unexpected(rates.error());
  const auto search = carried_out(composing_experiment(input_.experiment, settings_, *rates));
  if (!search) return tl::unexpected(search.error());
  const auto composite = composite_of(*search);
  if (!composite) {
    return ends({fmt::format("{} (campaign {}): no path came to the end of the run; its rates may "
                             "be too high",
                             search->campaign.name, search->campaign.id.value)},
                kExitFailure);
  }
  const auto rivals = rivals_of(*search, settings_, *rates, input_.experiment.seed, input_.against);
  const auto composed = carried_out(
      composed_experiment(input_.experiment, settings_, rates->iterations, *composite, rivals));
  if (!composed) return tl::unexpected(composed.error());
  const Composition composition = judge_composition(*composite, *composed);
  if (auto kept = keep(composition, *search, *composed, *rates); !kept) return kept;
  return show(composition, *search, *composed, *rates);
}

// Rates from --low to --high. Errors: the run's length is not known here.
Result<std::optional<ComposeRange>> given_range(const ComposeSettings& settings,
                                                const Experiment& experiment) {
  if (!settings.low) return std::nullopt;
  const auto iterations = planned_iterations(experiment);
  if (!iterations) {
    return fail(
        "--low and --high: how many iterations run.epochs are is not known here; give "
        "run.iterations, or leave the rates to a range test");
  }
  return ComposeRange{estimate_parameters(*settings.low, *settings.high, *iterations,
                                          std::max<std::int64_t>(1, *iterations / 8)),
                      *iterations,
                      "--low and --high",
                      {}};
}

// Options that say what another method does are mistakes.
Result<void> check_options(ComposeCommand& command) {
  ComposeSettings& settings = command.settings;
  settings.method = command.method == "tree"      ? ComposeMethod::kTree
                    : command.method == "dynamic" ? ComposeMethod::kDynamic
                                                  : ComposeMethod::kPlateau;
  for (const std::string& option : command.misplaced) {
    const bool of_dynamic = option == "--every";
    const bool of_plateau = option == "--metric" || option == "--window" ||
                            option == "--threshold" || option == "--cooldown";
    const ComposeMethod owner = of_dynamic   ? ComposeMethod::kDynamic
                                : of_plateau ? ComposeMethod::kPlateau
                                             : ComposeMethod::kTree;
    if (owner != settings.method) {
      return fail(fmt::format("{} is an option of --method {}, and the method is {}", option,
                              name_of(owner), command.method));
    }
  }
  if (command.metric) settings.plateau["metric"] = *command.metric;
  if (command.window) settings.plateau["window"] = *command.window;
  if (command.threshold) settings.plateau["threshold"] = *command.threshold;
  if (command.cooldown) settings.plateau["cooldown"] = *command.cooldown;
  return {};
}

constexpr std::int64_t kAnyLength = 1'000'000;  // to check policies with

Result<Input> read_input(ComposeCommand& command) {
  if (auto good = check_options(command); !good) return tl::unexpected(good.error());
  auto experiment = read_experiment(command.runner.local, kAnyRangeFinding);
  if (!experiment) return tl::unexpected(experiment.error());
  if (auto good = check_settings(*experiment, command.settings); !good) {
    return fail(good.error().message);
  }
  auto range = given_range(command.settings, *experiment);
  if (!range) return tl::unexpected(range.error());
  Input input{*std::move(experiment), {}, *std::move(range)};
  for (const std::string& argument : command.against) {
    const auto document = policy_document(argument);
    if (!document) return tl::unexpected(document.error());
    // Checked now, and not after a search of days.
    const auto alone = composed_experiment(input.experiment, {.repeats = 0}, kAnyLength,
                                           Policy{{{{.kind = LrFunctionKind::kFix, .k0 = 0.1}}}},
                                           {&document->json, 1});
    if (!alone) return fail(fmt::format("--against {}: {}", argument, alone.error().message));
    input.against.push_back(document->json);
  }
  return input;
}

int run(ComposeCommand command) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto input = read_input(command);
  if (!input) return say_error(input.error(), kExitBadInput);
  const RunOptions& options = command.runner.local;
  if (const RankBy by = input->experiment.rank_by; by != composed_by(input->experiment)) {
    say("lrtune: paths are composed by {}; ranking by {} is for whole runs\n",
        name_of(composed_by(input->experiment)), name_of(by));
  }
  const auto runner = campaign_runner(command.runner);
  if (!runner) return runner.error();
  const std::filesystem::path folder =
      options.output.empty() ? std::filesystem::path("lrtune-results") /
                                   output_name(input->experiment, command.settings, input->against)
                             : std::filesystem::path(options.output);
  const auto output = OutputFolder::open(folder);
  if (!output) return say_error(output.error(), kExitFailure);
  const auto done = Composing(command, *input, **runner, *output).compose_and_show();
  return done ? kExitDone : done.error();
}

void add_composing_options(CLI::App& parser, ComposeCommand& command) {
  ComposeSettings& settings = command.settings;
  const auto given = [&command](CLI::Option* option) {
    option->each([&command, name = option->get_name()](const std::string&) {
      command.misplaced.push_back(name);
    });
    return option;
  };
  parser
      .add_option("--method", command.method,
                  "tree: a tree over segments; dynamic: a new choice every M iterations; plateau: "
                  "Change-LR-On-Plateau")
      ->check(CLI::IsMember({"tree", "dynamic", "plateau"}))
      ->capture_default_str();
  parser
      .add_option(
          "--functions", settings.functions,
          "LR functions that segments may have; one of them alone: a homogeneous composite. "
          "Default: fix,poly,tri,sin2; plateau: fix")
      ->delimiter(',');
  auto* low = parser.add_option(
      "--low", settings.low,
      "Lowest rate worth searching; default: from the store's range test, which is made if there "
      "is none");
  parser.add_option("--high", settings.high, "Highest rate")->needs(low);
  auto* segments = given(
      parser.add_option("--segments", settings.segments, "tree: segments of equal length, at most")
          ->check(CLI::Range(2, 256))
          ->capture_default_str());
  given(parser
            .add_option("--boundaries", settings.boundaries,
                        "tree: iterations where another segment may begin, instead")
            ->delimiter(',')
            ->excludes(segments));
  given(parser.add_option("--keep", settings.keep, "tree: paths that go on from each boundary")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str());
  given(parser
            .add_option("--every", settings.every,
                        "dynamic: M, iterations; default: a tenth of the run")
            ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000})));
  parser
      .add_option("--tries", settings.tries,
                  "tree, dynamic: new segments at each boundary, for each path; plateau: functions "
                  "of the list")
      ->check(CLI::Range(2, 10'000))
      ->capture_default_str();
  given(
      parser
          .add_option("--metric", command.metric, "plateau: what is observed; default: train_loss")
          ->check(CLI::IsMember({"train_loss", "loss", "top1"})));
  given(parser
            .add_option("--window", command.window,
                        "plateau: observations that are compared; default: 5")
            ->check(CLI::Range(std::int64_t{2}, std::int64_t{1000})));
  given(parser
            .add_option("--threshold", command.threshold,
                        "plateau: an improvement in the window that is none; default: 0.05")
            ->check(number_between(0, 1e6)));
  given(parser
            .add_option("--cooldown", command.cooldown,
                        "plateau: observations between changes; default: 5")
            ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000})));
  parser
      .add_option("--singles", settings.singles,
                  "Single functions, drawn within the same rates, that the composite is compared "
                  "with")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  parser
      .add_option("--against", command.against,
                  "Another policy to compare with: a file or a text; may be given again")
      ->allow_extra_args(false);
  parser.add_option("--repeats", settings.repeats, "New seeds for each of the best")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
}

}  // namespace

void add_compose_command(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<ComposeCommand>();
  CLI::App* parser = app.add_subcommand(
      "compose", "Composes a policy of several functions, and compares it with single ones");
  parser
      ->add_option("file", command->runner.local.file,
                   "What to train and for how long: the train, run, rank and seed of an experiment")
      ->required();
  add_composing_options(*parser, *command);
  add_runner_options(*parser, command->runner);
  parser->add_flag("--json", command->runner.local.json,
                   "Prints one JSON document instead of text");
  parser->callback([command, &exit_code] { exit_code = run(*command); });
}

}  // namespace lrtune

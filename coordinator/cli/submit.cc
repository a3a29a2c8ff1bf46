#include "coordinator/cli/submit.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>

#include "common/config/from_range_test.h"
#include "coordinator/cli/client_command.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/planned_run.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/text_file.h"
#include "coordinator/report/status_text.h"

namespace lrtune {
namespace {

struct SubmitOptions : ClientCommand {
  std::string file;
  std::string device;
  std::optional<std::int64_t> priority;
  bool watch = false;
};

// Checked here as well: a mistake is told at once, with or without a coordinator. Its store has the
// range tests.
Result<wire::Submit> request_of(const SubmitOptions& options) {
  auto text = read_text_file(options.file, "an experiment");
  if (!text) return tl::unexpected(text.error());
  if (text->size() > wire::kMaxExperimentBytes) {
    return fail(fmt::format("{} has {} bytes; an experiment that is submitted has at most {}",
                            options.file, text->size(), wire::kMaxExperimentBytes));
  }
  if (auto experiment = experiment_from_text(*text, options.file, kAnyRangeFinding); !experiment)
    return tl::unexpected(experiment.error());
  return wire::Submit{0, options.file, std::move(*text), options.device, options.priority};
}

int submit(const SubmitOptions& options) {
  const auto request = request_of(options);
  if (!request) return complain("submit", request.error(), true);
  auto client = Client::connect(options.client);
  if (!client) return complain("submit", client.error(), true);
  const auto document = client->ask(*request);
  if (!document) return complain("submit", document.error(), client->was_answered());
  const bool known = document->value("known", false);
  const std::string line =
      fmt::format("{}{}\n", known ? "known already: " : "", campaign_line(*document));
  if (!options.watch) return print(options, *document, line);
  say("lrtune: {}", line);
  return watch_campaign(*client, options,
                        std::to_string(document->value("campaign", std::int64_t{0})));
}

}  // namespace

void add_submit_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "submit", "Gives an experiment to a coordinator; the same one again resumes its campaign");
  const auto options = std::make_shared<SubmitOptions>();
  command->add_option("file", options->file, "The experiment (docs/EXPERIMENTS.md)")->required();
  command
      ->add_option("--device", options->device,
                   "Instead of train.device of the file; makes it another experiment")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  command
      ->add_option(
          "--priority", options->priority,
          "Campaigns of a higher priority get slots first; those of one priority share them "
          "(default: 0, or what the campaign has)")
      ->check(CLI::Range(std::int64_t{-1'000'000}, std::int64_t{1'000'000}));
  command->add_flag("--watch", options->watch, "Stay, and show the progress to the end");
  add_client_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = submit(*options); });
}

}  // namespace lrtune

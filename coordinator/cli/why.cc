#include "coordinator/cli/why.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <ctime>
#include <memory>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/core/decisions.h"

namespace lrtune {
namespace {

std::string local_time(WallMillis at) {
  const auto seconds = static_cast<std::time_t>(at / 1000);
  std::tm fields{};
  localtime_r(&seconds, &fields);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fields);
}

std::string place_of(const TrialStory& story) {
  std::string place = fmt::format("number {} of campaign {} ({})", story.number,
                                  story.campaign.value, story.campaign_name);
  if (story.phase == TrialPhase::kTolerance) {
    place += fmt::format(", trial {} with its rates times {}", story.verifies.value, story.scale);
  } else if (story.verifies) {
    place +=
        fmt::format(", verifies trial {} with new seed {}", story.verifies.value, story.repeat);
  }
  return place;
}

struct WhyOptions {
  std::string store = "lrtune.db";
  std::int64_t trial = 0;
  bool json = false;
};

int show_story(const WhyOptions& options) {
  const auto queries = PolicyQueries::open(options.store);
  const auto story = queries ? queries->story(TrialId{options.trial})
                             : Result<TrialStory>(tl::unexpected(queries.error()));
  if (!story) {
    say("lrtune why: {}\n", story.error().message);
    return kExitBadInput;
  }
  const std::string text =
      options.json ? story_json(*story).dump(2) + "\n" : story_text(*story, terminal_of(1));
  return write_data(text) ? kExitDone : kExitFailure;
}

}  // namespace

std::string story_text(const TrialStory& story, const Terminal& terminal) {
  std::string text = paint(fmt::format("Trial {}, {}: {} ({})", story.trial.value, place_of(story),
                                       story.policy, name_of(story.state)),
                           Ink::kBold, terminal.colour) +
                     "\n";
  for (const DecisionRecord& decision : story.decisions) {
    text += fmt::format("{}  {}\n", paint(local_time(decision.at), Ink::kDim, terminal.colour),
                        sentence(decision));
  }
  return text;
}

nlohmann::json story_json(const TrialStory& story) {
  nlohmann::json decisions = nlohmann::json::array();
  for (const DecisionRecord& decision : story.decisions) {
    decisions.push_back(
        {{"at", decision.at},
         {"trial", decision.trial ? nlohmann::json(decision.trial.value) : nlohmann::json()},
         {"code", decision.code},
         {"numbers", decision.numbers.json()},
         {"sentence", sentence(decision)}});
  }
  return {{"trial", story.trial.value},
          {"number", story.number},
          {"campaign", story.campaign.value},
          {"campaign_name", story.campaign_name},
          {"phase", name_of(story.phase)},
          {"verifies", story.verifies ? nlohmann::json(story.verifies.value) : nlohmann::json()},
          {"repeat", story.repeat},
          {"scale", story.scale},
          {"state", name_of(story.state)},
          {"policy", story.policy},
          {"decisions", std::move(decisions)}};
}

void add_why_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("why", "Every decision about a trial, one sentence each");
  const auto options = std::make_shared<WhyOptions>();
  command->add_option("TRIAL", options->trial, "The trial's number in the result table")
      ->required()
      ->check(whole_number_from(1));
  command->add_option("--store", options->store, "The policy store")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON: codes and numbers beside the sentences");
  command->callback([options, &exit_code] { exit_code = show_story(*options); });
}

}  // namespace lrtune

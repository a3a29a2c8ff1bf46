#include "coordinator/cli/replay.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/config/experiment.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/core/campaign_replay.h"
#include "coordinator/methods/verdict_replay.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {
namespace {

struct ReplayOptions {
  std::string store = "lrtune.db";
  std::string campaign;
  bool json = false;
};

struct Replayed {
  CampaignReplay campaign;
  VerdictReplay verdicts;

  const std::string& difference() const {
    return campaign.difference.empty() ? verdicts.difference : campaign.difference;
  }
};

std::string replay_text(const CampaignHistory& history, const Replayed& all) {
  const CampaignReplay& replayed = all.campaign;
  const auto& campaign = history.campaign;
  const std::string who =
      fmt::format("Campaign {} ({}), method {}", campaign.id.value, campaign.name,
                  campaign.experiment.at("search").at("method").get<std::string>());
  if (!all.difference().empty()) return fmt::format("{}: {}.\n", who, all.difference());
  std::string counts = fmt::format("{} candidates", replayed.candidates);
  if (replayed.results > 0) {
    counts += fmt::format(" and {} promotions, decided by {} results", replayed.promotions,
                          replayed.results);
  }
  if (replayed.stops > 0) counts += fmt::format("; {} runs stopped early", replayed.stops);
  if (replayed.places > 0) counts += fmt::format("; {} places in rankings", replayed.places);
  if (replayed.repeats > 0) counts += fmt::format("; {} repeats", replayed.repeats);
  if (all.verdicts.verdicts > 0)
    counts +=
        fmt::format("; {} verdict{}", all.verdicts.verdicts, all.verdicts.verdicts == 1 ? "" : "s");
  std::string text = fmt::format("{}: {}. Each decision is the same again.\n", who, counts);
  if (all.verdicts.untold > 0) {
    text += fmt::format(
        "{} verdicts are not made again: their records, by an earlier version, do not name the "
        "campaigns that they rest on.\n",
        all.verdicts.untold);
  }
  if (all.verdicts.outdated > 0) {
    text += fmt::format(
        "{} verdict{} not made again: what {} on was extended since, and its runs are other "
        "ones.\n",
        all.verdicts.outdated, all.verdicts.outdated == 1 ? " is" : "s are",
        all.verdicts.outdated == 1 ? "it rests" : "they rest");
  }
  return text;
}

nlohmann::json replay_json(const CampaignHistory& history, const Replayed& all) {
  const CampaignReplay& replayed = all.campaign;
  nlohmann::json json = {{"campaign", history.campaign.id.value},
                         {"name", history.campaign.name},
                         {"candidates", replayed.candidates},
                         {"promotions", replayed.promotions},
                         {"results", replayed.results},
                         {"stops", replayed.stops},
                         {"places", replayed.places},
                         {"repeats", replayed.repeats},
                         {"verdicts", all.verdicts.verdicts},
                         {"verdicts_outdated", all.verdicts.outdated},
                         {"identical", all.difference().empty()},
                         {"difference", nullptr}};
  if (!all.difference().empty()) json["difference"] = all.difference();
  return json;
}

// What the verdicts rest on is all over the store, and is read only where there are some.
Result<VerdictReplay> verdicts_again(const ReplayOptions& options, const CampaignHistory& history) {
  if (history.verdicts.empty()) return VerdictReplay{};
  const auto store = PolicyQueries::open(options.store);
  if (!store) return tl::unexpected(store.error());
  const auto found = store->campaign_in_store(options.campaign);
  if (!found) return tl::unexpected(found.error());
  return replay_verdicts(found->stored, history.verdicts);
}

int show_replay(const ReplayOptions& options) {
  const auto history = PolicyQueries::open(options.store).and_then([&](const PolicyQueries& store) {
    return store.campaign_history(options.campaign);
  });
  if (!history) {
    say("lrtune replay: {}\n", history.error().message);
    return kExitBadInput;
  }
  const auto replayed = replay_campaign(*history);
  const auto verdicts = verdicts_again(options, *history);
  if (!replayed || !verdicts) {
    say("lrtune replay: campaign {}: {}\n", options.campaign,
        replayed ? verdicts.error().message : replayed.error().message);
    return kExitFailure;
  }
  const Replayed all{*replayed, *verdicts};
  const std::string text =
      options.json ? replay_json(*history, all).dump(2) + "\n" : replay_text(*history, all);
  if (!write_data(text)) return kExitFailure;
  return all.difference().empty() ? kExitDone : kExitFailure;
}

}  // namespace

void add_replay_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "replay", "Makes every decision of a campaign again, from what the store says");
  const auto options = std::make_shared<ReplayOptions>();
  command
      ->add_option("CAMPAIGN", options->campaign, "Its number, name or the beginning of its hash")
      ->required();
  command->add_option("--store", options->store, "The policy store")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = show_replay(*options); });
}

}  // namespace lrtune

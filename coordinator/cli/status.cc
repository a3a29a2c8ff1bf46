#include "coordinator/cli/status.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "coordinator/cli/client_command.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/report/status_text.h"

namespace lrtune {
namespace {

struct StatusOptions : ClientCommand {
  std::string campaign;
  bool all = false;
};

int show_one(const StatusOptions& options) {
  wire::Inspect question;
  question.kind = wire::InspectKind::kCampaign;
  question.target = options.campaign;
  return ask_and_show("status", options, question, [&](const nlohmann::json& document) {
    return print(options, document, campaign_page(document, terminal_of(1)));
  });
}

int show_all(const StatusOptions& options) {
  auto client = Client::connect(options.client);
  if (!client) return complain("status", client.error(), true);
  nlohmann::json campaigns = nlohmann::json::array();
  wire::Inspect question;
  for (bool more = true; more;) {
    const auto page = client->ask(question);
    if (!page) return complain("status", page.error(), client->was_answered());
    for (const nlohmann::json& one : page->at("campaigns")) campaigns.push_back(one);
    more = options.all && page->value("more", false) && !page->at("campaigns").empty();
    if (!more && page->value("more", false))
      say("lrtune status: the newest {} campaigns; --all shows the others too\n", campaigns.size());
    if (more) question.after = std::to_string(campaigns.back().at("campaign").get<std::int64_t>());
  }
  if (campaigns.empty() && !options.json) {
    say("lrtune status: the coordinator at {} has no campaigns\n", client->endpoint());
    return kExitDone;
  }
  return print(options, {{"campaigns", campaigns}}, campaigns_table(campaigns, terminal_of(1)));
}

int watch(const StatusOptions& options) {
  auto client = Client::connect(options.client);
  if (!client) return complain("watch", client.error(), true);
  return watch_campaign(*client, options, options.campaign);
}

constexpr const char* kCampaignWords = "Its number, its name, or the beginning of its hash";

}  // namespace

void add_status_command(CLI::App& app, int& exit_code) {
  CLI::App* status = app.add_subcommand("status", "A coordinator's campaigns, or one of them");
  const auto options = std::make_shared<StatusOptions>();
  status->add_option("CAMPAIGN", options->campaign, kCampaignWords);
  status->add_flag("--all", options->all, "All campaigns, not only the newest");
  add_client_options(*status, *options);
  status->callback([options, &exit_code] {
    exit_code = options->campaign.empty() ? show_all(*options) : show_one(*options);
  });

  CLI::App* follow = app.add_subcommand(
      "watch", "Shows a campaign's progress until it has ended, then its best policies");
  const auto watched = std::make_shared<StatusOptions>();
  follow->add_option("CAMPAIGN", watched->campaign, kCampaignWords)->required();
  add_client_options(*follow, *watched);
  follow->callback([watched, &exit_code] { exit_code = watch(*watched); });
}

}  // namespace lrtune

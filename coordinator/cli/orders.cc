#include "coordinator/cli/orders.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>

#include "common/config/located_json.h"
#include "coordinator/cli/client_command.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/text_file.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/report/status_text.h"

namespace lrtune {
namespace {

constexpr const char* kCampaignWords = "Its number, its name, or the beginning of its hash";

struct OrderOptions : ClientCommand {
  std::string target;
  std::string reason;
};

struct ExtendOptions : ClientCommand {
  std::string campaign;
  std::int64_t iterations = 0;
  double epochs = 0;
  std::int64_t count = 0;
  std::string policies;  // file
};

int order_campaign(const OrderOptions& options, wire::OrderKind kind) {
  const wire::Order order{0, kind, options.target, options.reason};
  return ask_and_show(std::string(name_of(kind)), options, order,
                      [&](const nlohmann::json& document) {
                        return print(options, document, campaign_line(document) + '\n');
                      });
}

void add_campaign_order(CLI::App& app, int& exit_code, wire::OrderKind kind, const char* what) {
  CLI::App* command = app.add_subcommand(std::string(name_of(kind)), what);
  const auto options = std::make_shared<OrderOptions>();
  command->add_option("CAMPAIGN", options->target, kCampaignWords)->required();
  if (kind != wire::OrderKind::kResume)
    command->add_option("--reason", options->reason, "For `lrtune why` and the log");
  add_client_options(*command, *options);
  command->callback([options, kind, &exit_code] { exit_code = order_campaign(*options, kind); });
}

int extend(const ExtendOptions& options) {
  wire::Extend request{0, options.campaign, options.iterations, options.epochs, options.count, {}};
  if (request.iterations == 0 && request.epochs <= 0 && request.count == 0 &&
      options.policies.empty()) {
    return complain("extend",
                    {"nothing to extend it by: give --iterations, --epochs, --count or --policies"},
                    true);
  }
  if (!options.policies.empty()) {
    auto text = read_text_file(options.policies, "a list of policies");
    if (!text) return complain("extend", text.error(), true);
    if (text->size() > wire::kMaxExperimentBytes) {
      return complain(
          "extend",
          {fmt::format("{} has {} bytes; policies that are added have at most {} at a time",
                       options.policies, text->size(), wire::kMaxExperimentBytes)},
          true);
    }
    // What the coordinator says of it names no line.
    if (const auto yaml = yaml_to_json(*text, options.policies); !yaml)
      return complain("extend", yaml.error(), true);
    request.policies = std::move(*text);
  }
  return ask_and_show("extend", options, request, [&](const nlohmann::json& document) {
    return print(options, document, campaign_line(document) + '\n');
  });
}

void add_extend(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "extend", "Gives a campaign, finished or not, longer runs, more candidates or more policies");
  const auto options = std::make_shared<ExtendOptions>();
  command->add_option("CAMPAIGN", options->campaign, kCampaignWords)->required();
  auto* iterations =
      command->add_option("--iterations", options->iterations, "The new length of every run")
          ->check(whole_number_from(1));
  command->add_option("--epochs", options->epochs, "The same, where the experiment counts epochs")
      ->check(number_between(1e-9, 1e9))
      ->excludes(iterations);
  command
      ->add_option("--count", options->count,
                   "The new number of candidates of a random or sobol search")
      ->check(whole_number_from(1));
  command->add_option("--policies", options->policies,
                      "File with a YAML list of more policies, as under search.policies");
  add_client_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = extend(*options); });
}

int list_workers(const ClientCommand& options) {
  auto client = Client::connect(options.client);
  if (!client) return complain("workers list", client.error(), true);
  nlohmann::json workers = nlohmann::json::array();
  nlohmann::json orders = nlohmann::json::array();
  wire::Inspect question;
  question.kind = wire::InspectKind::kWorkers;
  for (bool more = true; more;) {
    const auto page = client->ask(question);
    if (!page) return complain("workers list", page.error(), client->was_answered());
    for (const nlohmann::json& one : page->at("workers")) workers.push_back(one);
    if (question.after.empty()) orders = page->at("orders");
    more = page->value("more", false) && !page->at("workers").empty();
    if (more) question.after = workers.back().at("name");
  }
  return print(options, {{"workers", workers}, {"orders", orders}},
               workers_table(workers, orders, terminal_of(1)));
}

int order_worker(const OrderOptions& options, wire::OrderKind kind) {
  if (const auto good = wire::check_worker_name(options.target); !good) {
    return complain(fmt::format("workers {}", name_of(kind)),
                    {"a worker's name " + good.error().message}, true);
  }
  const wire::Order order{0, kind, options.target, options.reason};
  return ask_and_show(fmt::format("workers {}", name_of(kind)), options, order,
                      [&](const nlohmann::json& document) {
                        const auto connected = document.value("connected", std::int64_t{0});
                        return print(options, document,
                                     fmt::format("worker {}: {}{}\n", options.target, name_of(kind),
                                                 connected == 0 ? " (it is not connected)" : ""));
                      });
}

void add_worker_order(CLI::App& workers, int& exit_code, wire::OrderKind kind, const char* what) {
  CLI::App* command = workers.add_subcommand(std::string(name_of(kind)), what);
  const auto options = std::make_shared<OrderOptions>();
  command->add_option("WORKER", options->target, "Its name in `lrtune workers list`")->required();
  if (kind != wire::OrderKind::kAdmit)
    command->add_option("--reason", options->reason, "For the list and the log");
  add_client_options(*command, *options);
  command->callback([options, kind, &exit_code] { exit_code = order_worker(*options, kind); });
}

void add_workers(CLI::App& app, int& exit_code) {
  CLI::App* workers = app.add_subcommand("workers", "A coordinator's workers");
  workers->require_subcommand(1);
  CLI::App* list = workers->add_subcommand("list", "Who is there, and what it trains");
  const auto options = std::make_shared<ClientCommand>();
  add_client_options(*list, *options);
  list->callback([options, &exit_code] { exit_code = list_workers(*options); });
  add_worker_order(*workers, exit_code, wire::OrderKind::kDrain,
                   "It gets nothing new, ends what it trains, and leaves");
  add_worker_order(
      *workers, exit_code, wire::OrderKind::kBan,
      "It is sent away at once, its jobs go to others, and none of that name may come back (to "
      "keep a machine out, revoke its key)");
  add_worker_order(*workers, exit_code, wire::OrderKind::kAdmit, "Takes back a drain or a ban");
}

}  // namespace

void add_orders_command(CLI::App& app, int& exit_code) {
  add_campaign_order(app, exit_code, wire::OrderKind::kPause,
                     "Checkpoints a campaign's running trials and frees their slots");
  add_campaign_order(app, exit_code, wire::OrderKind::kResume, "Goes on with a paused campaign");
  add_campaign_order(app, exit_code, wire::OrderKind::kCancel,
                     "Ends a campaign; what is trained is kept, and submitting it again goes on");
  add_extend(app, exit_code);
  add_workers(app, exit_code);
}

}  // namespace lrtune

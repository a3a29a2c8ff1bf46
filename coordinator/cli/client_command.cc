#include "coordinator/cli/client_command.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <chrono>
#include <thread>

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/progress_display.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/report/status_text.h"

namespace lrtune {
namespace {

constexpr std::chrono::milliseconds kWatchEvery{500};
constexpr std::chrono::seconds kAwayAtMost{60};

bool ended(CampaignState state) { return state >= CampaignState::kDone; }

bool nothing_came_of(const CampaignView& view) {
  return view.trials > 0 && view.failed == view.trials;
}

}  // namespace

void add_client_options(CLI::App& command, ClientCommand& options) {
  command
      .add_option("--coordinator", options.client.coordinator,
                  "The coordinator; default: $LRTUNE_COORDINATOR")
      ->type_name("tcp://HOST:PORT");
  command
      .add_option("--keys", options.client.keys,
                  "Folder with this client's keys (`lrtune keygen`); default: $LRTUNE_KEYS")
      ->type_name("DIR");
  command.add_option("--patience", options.client.patience, "Seconds to wait for an answer")
      ->check(number_between(0.1, 1e6))
      ->capture_default_str();
  command.add_flag("--json", options.json, "Print JSON");
}

int complain(const std::string& command, const Error& error, bool answered) {
  say("lrtune {}: {}\n", command, error.message);
  return answered ? kExitBadInput : kExitFailure;
}

int print(const ClientCommand& options, const nlohmann::json& document, const std::string& text) {
  return write_data(options.json ? document.dump(2) + '\n' : text) ? kExitDone : kExitFailure;
}

int watch_campaign(Client& client, const ClientCommand& options, const std::string& campaign) {
  using Clock = std::chrono::steady_clock;
  ProgressDisplay display;
  wire::Inspect question;
  question.kind = wire::InspectKind::kCampaign;
  question.target = campaign;
  auto heard = Clock::now();
  for (bool away = false;;) {
    const auto document = client.ask(question);
    const auto now = Clock::now();
    if (!document && (client.was_answered() || now - heard >= kAwayAtMost)) {
      display.clear();
      return complain("watch", document.error(), client.was_answered());
    }
    if (!document) {
      if (!std::exchange(away, true))
        display.say("lrtune watch: the coordinator does not answer; it is asked again");
      continue;
    }
    away = false;
    heard = now;
    const CampaignView view = campaign_view(*document);
    display.show(view, now);
    if (ended(view.state)) {
      display.clear();
      const int printed = print(options, *document, campaign_page(*document, terminal_of(1)));
      return view.state == CampaignState::kDone && !nothing_came_of(view) ? printed : kExitFailure;
    }
    std::this_thread::sleep_for(kWatchEvery);
  }
}

}  // namespace lrtune

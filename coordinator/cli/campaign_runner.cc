#include "coordinator/cli/campaign_runner.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "coordinator/cli/command_signals.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/local_campaign.h"
#include "coordinator/cli/progress_display.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/report/progress.h"
#include "coordinator/report/status_text.h"
#include "coordinator/store/policy_queries.h"
#include "coordinator/store/sqlite_store.h"

namespace lrtune {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kAwayAtMost{60};

class LocalRunner : public CampaignRunner {
 public:
  LocalRunner(const RunOptions& options, std::unique_ptr<SqliteStore> store)
      : options_(options), store_(std::move(store)) {}

  int carry_out(std::span<const Experiment> experiments, const OutputFolder& output) override {
    return lrtune::carry_out(options_, experiments, *store_, output);
  }
  Result<StoredState> stored() override { return store_->load(); }
  int keep(const DecisionRecord& judgement) override {
    const std::vector<Record> records = {judgement};
    const auto kept = store_->commit(records);
    return kept ? kExitDone : say_error(kept.error(), kExitFailure);
  }

 private:
  const RunOptions& options_;
  std::unique_ptr<SqliteStore> store_;
};

// A coordinator trains, and writes its store; here the store is only read.
class AtCoordinator : public CampaignRunner {
 public:
  AtCoordinator(const RunOptions& options, CommandSignals signals, Client client)
      : options_(options), signals_(std::move(signals)), client_(std::move(client)) {
    client_.give_up_when([this] { return is_stopped(); });
  }

  int carry_out(std::span<const Experiment> experiments, const OutputFolder& output) override;
  Result<StoredState> stored() override {
    return PolicyQueries::open(options_.store).and_then([](const PolicyQueries& store) {
      return store.everything();
    });
  }
  int keep(const DecisionRecord& judgement) override;

 private:
  // As Client::ask(), again for a minute while the coordinator is away.
  template <typename Request>
  Result<nlohmann::json> ask(const Request& request) {
    for (const auto begun = Clock::now();;) {
      auto answer = client_.ask(request);
      if (answer || stopped_ || client_.was_answered() || Clock::now() - begun >= kAwayAtMost)
        return answer;
    }
  }
  bool is_stopped() { return stopped_ = stopped_ || signals_.take() != 0; }
  int unanswered(const Error& error) const;
  tl::expected<std::string, int> submit(const Experiment& experiment);
  Result<void> check_store(const nlohmann::json& campaign) const;
  Result<void> check_newest();
  Result<std::vector<nlohmann::json>> look(const std::vector<std::string>& campaigns);
  int ended(std::span<const nlohmann::json> campaigns, const CampaignView& view) const;

  const RunOptions& options_;
  CommandSignals signals_;
  Client client_;
  bool stopped_ = false;  // by a signal
};

// The exit code of a question that the coordinator refused, or did not answer.
int AtCoordinator::unanswered(const Error& error) const {
  if (stopped_) {
    say("lrtune: stopped; what the coordinator has goes on there. The same command waits for it "
        "again.\n");
    return kExitResumable;
  }
  return say_error(error, client_.was_answered() ? kExitBadInput : kExitFailure);
}

// Whether the file that is read here is the store that the coordinator writes, as far as a campaign
// of its tells.
Result<void> AtCoordinator::check_store(const nlohmann::json& campaign) const {
  const auto hash = campaign.value("hash", std::string());
  const auto number = campaign.value("campaign", std::int64_t{0});
  // It may have ended since the coordinator spoke; what had ended then has ended in its store.
  const auto ended_at = campaign.value("ended_at", WallMillis{0});
  const auto same = [&](const CampaignRecord& one) {
    return one.id.value == number && one.hash.hex() == hash &&
           one.created_at == campaign.value("created_at", WallMillis{0}) &&
           (ended_at == 0 || one.ended_at == ended_at);
  };
  const auto found = PolicyQueries::open(options_.store).and_then([&](const PolicyQueries& store) {
    return store.campaign_in_store(hash);
  });
  if (found && std::ranges::any_of(found->stored.campaigns, same)) return {};
  return fail(fmt::format(
      "{} is not the store of the coordinator at {}, or is an old copy of it: campaign {} ({}) is "
      "not "
      "there as the coordinator has it; give --store FILE, the coordinator's own, on its machine",
      options_.store, client_.endpoint(), number, campaign.value("name", "")));
}

// Before anything is ordered.
Result<void> AtCoordinator::check_newest() {
  const auto page = ask(wire::Inspect{});
  if (!page) return tl::unexpected(page.error());
  const nlohmann::json& campaigns = page->at("campaigns");
  return campaigns.empty() ? Result<void>() : check_store(campaigns.front());
}

// The campaign's number.
tl::expected<std::string, int> AtCoordinator::submit(const Experiment& experiment) {
  const std::string text = experiment.normalised.dump();
  if (text.size() > wire::kMaxExperimentBytes) {
    return tl::unexpected(
        say_error({fmt::format("{} has {} bytes in normal form; a coordinator takes at most {}",
                               experiment.name, text.size(), wire::kMaxExperimentBytes)},
                  kExitBadInput));
  }
  const auto document = ask(wire::Submit{0, options_.file, text, "", {}});
  if (!document) return tl::unexpected(unanswered(document.error()));
  std::string number = std::to_string(document->value("campaign", std::int64_t{0}));
  if (auto store = check_store(*document); !store) {  // the coordinator had none before
    if (!document->value("known", true))
      client_.ask(wire::Order{0, wire::OrderKind::kCancel, number, "it came for another store"});
    return tl::unexpected(say_error(store.error(), kExitBadInput));
  }
  return number;
}

Result<std::vector<nlohmann::json>> AtCoordinator::look(const std::vector<std::string>& campaigns) {
  std::vector<nlohmann::json> documents;
  for (const std::string& campaign : campaigns) {
    wire::Inspect question;
    question.kind = wire::InspectKind::kCampaign;
    question.target = campaign;
    auto document = client_.ask(question);
    if (!document) return tl::unexpected(document.error());
    documents.push_back(*std::move(document));
  }
  return documents;
}

// The exit code when all are done or one can not be.
int AtCoordinator::ended(std::span<const nlohmann::json> campaigns,
                         const CampaignView& view) const {
  if (view.state == CampaignState::kFailed) return say_error({view.failure}, kExitBadInput);
  if (view.state == CampaignState::kCancelled) {
    return say_error({view.name + " was cancelled; the same command takes it up again"},
                     kExitFailure);
  }
  // A copy of the store may have had them, open still.
  for (const nlohmann::json& campaign : campaigns) {
    if (auto same = check_store(campaign); !same) return say_error(same.error(), kExitBadInput);
  }
  return kExitDone;
}

int AtCoordinator::carry_out(std::span<const Experiment> experiments, const OutputFolder&) {
  constexpr std::chrono::milliseconds kLookEvery{500};
  if (auto good = check_newest(); !good) return unanswered(good.error());
  std::vector<std::string> campaigns;
  for (const Experiment& experiment : experiments) {
    const auto campaign = submit(experiment);
    if (!campaign) return campaign.error();
    if (std::ranges::find(campaigns, *campaign) == campaigns.end()) campaigns.push_back(*campaign);
  }
  say("lrtune: {} at the coordinator {}\n", experiments.front().name, client_.endpoint());
  ProgressDisplay display;
  for (auto heard = Clock::now(); !is_stopped(); std::this_thread::sleep_for(kLookEvery)) {
    const auto documents = look(campaigns);
    const auto now = Clock::now();
    if (!documents && !stopped_ && !client_.was_answered() && now - heard < kAwayAtMost) continue;
    if (!documents) {
      display.clear();
      return unanswered({fmt::format("{}; it was asked for {} s", documents.error().message,
                                     kAwayAtMost.count())});
    }
    heard = now;
    std::vector<CampaignView> views;
    for (const nlohmann::json& document : *documents) views.push_back(campaign_view(document));
    const CampaignView view = together(views);
    display.show(view, now);
    if (view.state < CampaignState::kDone) continue;
    display.clear();
    return ended(*documents, view);
  }
  display.clear();
  return unanswered({});
}

int AtCoordinator::keep(const DecisionRecord& judgement) {
  const auto kind = judgement.code == name_of(wire::JudgementKind::kVerdict)
                        ? wire::JudgementKind::kVerdict
                        : wire::JudgementKind::kComposed;
  const auto answer = ask(wire::Judge{0, judgement.trial, kind, judgement.numbers});
  return answer ? kExitDone : unanswered(answer.error());
}

bool names_coordinator(const RunnerOptions& options) {
  const char* set = std::getenv("LRTUNE_COORDINATOR");
  return !options.client.coordinator.empty() || (!options.here && set != nullptr && *set != '\0');
}

tl::expected<std::unique_ptr<CampaignRunner>, int> at_coordinator(const RunnerOptions& options) {
  const std::string by_variable =
      options.client.coordinator.empty()
          ? " (LRTUNE_COORDINATOR names a coordinator; --workers N has it done here)"
          : "";
  if (!std::filesystem::exists(options.local.store)) {
    return tl::unexpected(
        say_error({fmt::format("there is no store {}: give --store FILE, the coordinator's own, on "
                               "its machine{}",
                               options.local.store, by_variable)},
                  kExitBadInput));
  }
  if (auto file = check_store_file(options.local.store); !file)
    return tl::unexpected(say_error(file.error(), kExitBadInput));
  auto signals = CommandSignals::open();  // before ZeroMQ starts its threads
  if (!signals) return tl::unexpected(say_error(signals.error(), kExitFailure));
  ClientOptions asked = options.client;
  asked.keys = options.local.keys;
  auto client = Client::connect(asked);
  if (!client) return tl::unexpected(say_error(client.error(), kExitBadInput));
  return std::make_unique<AtCoordinator>(options.local, *std::move(signals), *std::move(client));
}

}  // namespace

void add_runner_options(CLI::App& command, RunnerOptions& options) {
  add_local_options(command, options.local);
  auto* coordinator =
      command
          .add_option("--coordinator", options.client.coordinator,
                      "A running coordinator that carries it out, with its workers; --store is its "
                      "store then, which is only read. Default: $LRTUNE_COORDINATOR, else here")
          ->type_name("tcp://HOST:PORT");
  for (const char* name :
       {"--workers", "--listen", "--checkpoints", "--no-checkpoints", "--no-stage-sharing",
        "--trust-folder", "--worker-program", "--worker-argument"}) {
    CLI::Option* const only_here = command.get_option(name);
    coordinator->excludes(only_here);
    only_here->each([&options](const std::string&) { options.here = true; });
  }
  // With either of them.
  CLI::Option* const keys = command.get_option("--keys");
  keys->remove_needs(command.get_option("--listen"));
  keys->description(
      "Folder of `lrtune keygen`: with --listen those who may come in, nobody else "
      "(needed unless it is loopback); with --coordinator this client's keys");
  command
      .add_option("--patience", options.client.patience,
                  "Seconds to wait for an answer of the coordinator")
      ->check(number_between(0.1, 1e6))
      ->capture_default_str();
}

tl::expected<std::unique_ptr<CampaignRunner>, int> campaign_runner(const RunnerOptions& options) {
  if (names_coordinator(options)) return at_coordinator(options);
  if (!options.local.keys.empty() && options.local.listen.empty()) {
    return tl::unexpected(
        say_error({"--keys: for --listen or --coordinator, and neither is given"}, kExitBadInput));
  }
  auto store = open_store(options.local);
  if (!store) return tl::unexpected(store.error());
  return std::make_unique<LocalRunner>(options.local, *std::move(store));
}

}  // namespace lrtune

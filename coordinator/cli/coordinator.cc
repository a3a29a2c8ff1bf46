#include "coordinator/cli/coordinator.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <chrono>
#include <csignal>
#include <memory>

#include "common/config/from_range_test.h"
#include "common/logfmt.h"
#include "coordinator/cli/command_signals.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/listening.h"
#include "coordinator/cli/open_files.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/whole_number.h"
#include "coordinator/methods/stored_range.h"
#include "coordinator/operations/listen_address.h"
#include "coordinator/operations/operations.h"
#include "coordinator/runtime.h"
#include "coordinator/store/sqlite_store.h"

namespace lrtune {
namespace {

struct CoordinatorOptions {
  std::string listen = "tcp://127.0.0.1:5580";
  std::string store = "lrtune.db";
  double lease = 10;  // seconds
  bool no_stage_sharing = false;
  std::string keys;     // folder; empty: none, which loopback alone allows
  std::string metrics;  // ADDR:PORT; empty: nowhere
  std::string log_level = "info";
};

constexpr std::uint64_t kManyConnections = 1000;

int complain(const Error& error, int exit_code) {
  say("lrtune coordinator: {}\n", error.message);
  return exit_code;
}

std::shared_ptr<spdlog::logger> make_log(const CoordinatorOptions& options) {
  auto log = std::make_shared<spdlog::logger>("coordinator",
                                              std::make_shared<spdlog::sinks::stderr_sink_st>());
  log->set_pattern(log_pattern());
  log->set_level(spdlog::level::from_str(options.log_level));
  return log;
}

// Ends the coordinator at a signal. Workers are told nothing: they train on, and wait for the next
// one.
class UntilSignalled : public RuntimeWatcher {
 public:
  explicit UntilSignalled(CommandSignals& signals) : signals_(signals) {}

  std::vector<int> descriptors() override { return {signals_.descriptor()}; }
  void readable(int, const Now&) override {
    while (const int number = signals_.take()) signal_ = number;
  }
  bool watch(const Snapshot& snapshot, const Now&) override {
    open_campaigns_ = 0;
    for (const CampaignView& view : snapshot.campaigns)
      open_campaigns_ += view.state < CampaignState::kDone ? 1 : 0;
    return signal_ == 0;
  }

  int signal() const { return signal_; }
  int open_campaigns() const { return open_campaigns_; }

 private:
  CommandSignals& signals_;
  int signal_ = 0;
  int open_campaigns_ = 0;
};

RuntimeOptions runtime_options(const CoordinatorOptions& options) {
  RuntimeOptions runtime;
  runtime.core.lease = std::chrono::milliseconds(static_cast<std::int64_t>(1000 * options.lease));
  runtime.core.share_stages = !options.no_stage_sharing;
  // Several heartbeats a lease: one that is lost or late ends none.
  runtime.core.heartbeat = std::min(runtime.core.heartbeat, runtime.core.lease / 5);
  return runtime;
}

// What no other start would mend. An address that is taken, or not there yet, is none of it.
Result<void> check_options(const CoordinatorOptions& options) {
  if (auto file = check_store_file(options.store); !file) return file;
  if (auto good = check_listening(options.listen, options.keys); !good) return good;
  if (options.metrics.empty()) return {};
  if (auto parsed = parse_listen_address(options.metrics); !parsed)
    return tl::unexpected(parsed.error());
  return {};
}

Result<std::unique_ptr<Operations>> start_operations(const CoordinatorOptions& options) {
  if (options.metrics.empty()) return std::unique_ptr<Operations>();
  OperationsOptions operations;
  operations.listen = options.metrics;
  operations.store = options.store;
  operations.version = LRTUNE_VERSION;
  return Operations::start(operations);
}

// Rates that its policies take from a range test, out of the store. What cannot be read is left to
// the core, which says why.
Result<void> fill_rates_in(wire::Submit& submit, Store& store, const std::string& store_file) {
  const auto experiment = experiment_from_yaml(submit.experiment, submit.file, kAnyRangeFinding);
  if (!experiment || !takes_range_test(submit.experiment)) return {};
  const auto stored = store.load();
  if (!stored) return tl::unexpected(stored.error());
  const auto range =
      stored_range(*stored, *experiment,
                   fmt::format("lrtune range-test {} --store {}", submit.file, store_file));
  const auto filled =
      experiment_from_yaml(submit.experiment, submit.file, range.map(&StoredRange::found));
  if (!filled) return tl::unexpected(filled.error());
  submit.experiment = filled->normalised.dump();
  return {};
}

int run(const CoordinatorOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // whoever read the log may go away
  const std::uint64_t files = raise_open_files();
  auto signals = CommandSignals::open();  // before ZeroMQ starts its threads
  if (!signals) return complain(signals.error(), kExitFailure);
  if (auto good = check_options(options); !good) return complain(good.error(), kExitBadInput);
  const auto log = make_log(options);
  // Before the store, which is not made, or migrated, for a coordinator that nobody can reach.
  auto socket = listen(options.listen, options.keys, log);
  if (!socket) return complain(socket.error(), kExitFailure);
  auto operations = start_operations(options);
  if (!operations) return complain(operations.error(), kExitFailure);
  auto store = SqliteStore::open(options.store);
  if (!store) return complain(store.error(), kExitFailure);
  log->info(LogLine("listening")
                .add("endpoint", socket->endpoint())
                .add("store", options.store)
                .add("keys", options.keys)
                .add("connections_at_most", connections_within(files))
                .text());
  if (connections_within(files) < kManyConnections) {
    log->warn(LogLine("few_files")
                  .add("limit", files)
                  .add("hint", "raise it: ulimit -n, or LimitNOFILE in the unit")
                  .text());
  }
  RuntimeOptions with = runtime_options(options);
  with.complete_submission = [&](wire::Submit& submit) {
    return fill_rates_in(submit, **store, options.store);
  };
  if (*operations) with.observer = &(*operations)->observer();
  Runtime runtime(std::move(*socket), **store, with, log);
  UntilSignalled watcher(*signals);
  if (auto ran = runtime.run(watcher); !ran) {
    log->error(LogLine("ended").add("reason", ran.error().message).text());
    return complain(ran.error(), kExitFailure);
  }
  log->info(LogLine("ended")
                .add("signal", watcher.signal())
                .add("open_campaigns", watcher.open_campaigns())
                .text());
  return watcher.open_campaigns() == 0 ? kExitDone : kExitResumable;
}

}  // namespace

void add_coordinator_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CoordinatorOptions>();
  CLI::App* command = app.add_subcommand(
      "coordinator", "Serves workers and clients of many machines until it is told to stop");
  command->add_option("--listen", options->listen, "Where workers and clients connect to")
      ->type_name("tcp://ADDR:PORT")
      ->capture_default_str();
  command->add_option("--store", options->store, "The policy store")
      ->type_name("FILE")
      ->capture_default_str();
  command
      ->add_option(
          "--keys", options->keys,
          "Folder of `lrtune keygen`: whose keys are in it may come in, nobody else; needed "
          "unless --listen is loopback")
      ->type_name("DIR");
  command
      ->add_option("--metrics", options->metrics,
                   "Where to serve /metrics, /healthz and /readyz (docs/OPERATIONS.md)")
      ->type_name("ADDR:PORT");
  command
      ->add_option("--lease", options->lease,
                   "Seconds without a sign of life after which a worker's jobs go to others")
      ->check(number_between(0.5, 86'400.0))
      ->capture_default_str();
  command->add_flag(
      "--no-stage-sharing", options->no_stage_sharing,
      "Each run trains its beginning itself: for workers that keep no checkpoints, or "
      "none that the others find; the results are the same bits");
  command->add_option("--log-level", options->log_level, "What is written to standard error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  command->footer(
      "A signal (SIGTERM, SIGINT) ends it; workers train on and wait for the next one. Exit code\n"
      "75: there are campaigns that go on when it is started again.");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace lrtune

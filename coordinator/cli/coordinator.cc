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

#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/open_files.h"
#include "coordinator/cli/stop_signals.h"
#include "coordinator/cli/terminal.h"
#include "coordinator/runtime.h"
#include "coordinator/store/sqlite_store.h"

namespace lrtune {
namespace {

struct CoordinatorOptions {
  std::string listen = "tcp://127.0.0.1:5580";
  std::string store = "lrtune.db";
  double lease = 10;  // seconds
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
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  log->set_level(spdlog::level::from_str(options.log_level));
  return log;
}

// Ends the coordinator at a signal. Workers are told nothing: they train on, and wait for the next
// one.
class UntilSignalled : public RuntimeWatcher {
 public:
  explicit UntilSignalled(StopSignals& signals) : signals_(signals) {}

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
  StopSignals& signals_;
  int signal_ = 0;
  int open_campaigns_ = 0;
};

RuntimeOptions runtime_options(const CoordinatorOptions& options) {
  RuntimeOptions runtime;
  runtime.core.lease = std::chrono::milliseconds(static_cast<std::int64_t>(1000 * options.lease));
  // Several heartbeats a lease: one that is lost or late ends none.
  runtime.core.heartbeat = std::min(runtime.core.heartbeat, runtime.core.lease / 5);
  return runtime;
}

int run(const CoordinatorOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // whoever read the log may go away
  const std::uint64_t files = raise_open_files();
  auto signals = StopSignals::open();  // before ZeroMQ starts its threads
  if (!signals) return complain(signals.error(), kExitFailure);
  if (auto file = check_store_file(options.store); !file)
    return complain(file.error(), kExitBadInput);
  auto store = SqliteStore::open(options.store);
  if (!store) return complain(store.error(), kExitFailure);
  auto socket = wire::RouterSocket::bind(options.listen);
  if (!socket) return complain(socket.error(), kExitBadInput);
  const auto log = make_log(options);
  log->info("event=listening endpoint={} store={} connections_at_most={}", socket->endpoint(),
            options.store, connections_within(files));
  if (connections_within(files) < kManyConnections) {
    log->warn("event=few_files limit={} hint=\"raise it: ulimit -n, or LimitNOFILE in the unit\"",
              files);
  }
  Runtime runtime(std::move(*socket), **store, runtime_options(options), log);
  UntilSignalled watcher(*signals);
  if (auto ran = runtime.run(watcher); !ran) {
    log->error("event=ended reason=\"{}\"", ran.error().message);
    return complain(ran.error(), kExitFailure);
  }
  log->info("event=ended signal={} open_campaigns={}", watcher.signal(), watcher.open_campaigns());
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
      ->add_option("--lease", options->lease,
                   "Seconds without a sign of life after which a worker's jobs go to others")
      ->check(CLI::Range(0.5, 86'400.0))
      ->capture_default_str();
  command->add_option("--log-level", options->log_level, "What is written to standard error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  command->footer(
      "A signal (SIGTERM, SIGINT) ends it; workers train on and wait for the next one. Exit code\n"
      "75: there are campaigns that go on when it is started again.");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace lrtune

// lrtune-checkpoints: keeps the checkpoints of workers that share no folder.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "common/logfmt.h"
#include "common/wire/security/key_folder.h"
#include "worker/checkpoint_channel/service_loop.h"
#include "worker/checkpoints/checkpoint_folder.h"
#include "worker/not_nan.h"
#include "worker/stop_signals.h"

namespace lrtune {
namespace {

constexpr int kFailure = 1;
constexpr int kBadUsage = 2;
constexpr double kBytesOfGb = 1e9;

struct Options {
  std::string folder;
  std::string keys;  // folder; empty: none
  std::string endpoint = "tcp://127.0.0.1:5557";
  double budget = 100;
  std::string log_level = "info";
};

void declare(CLI::App& app, Options& options) {
  app.add_option("folder", options.folder, "Folder where the checkpoints are kept")->required();
  app.add_option("--listen", options.endpoint,
                 "Where workers reach it; tcp://*:PORT is every address of this machine, for which "
                 "--keys is needed")
      ->capture_default_str();
  app.add_option("--keys", options.keys,
                 "Folder with checkpoints.public, checkpoints.secret and allowed/, made by 'lrtune "
                 "keygen': all is encrypted, and only keys in allowed/workers get in");
  app.add_option("--budget", options.budget, "GB that the checkpoints may take together")
      ->check(CLI::Range(0.001, 1e9))
      ->check(not_nan())
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "What is written to standard error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  app.set_version_flag("--version", "lrtune-checkpoints " LRTUNE_VERSION);
}

// Each checkpoint in use and each client is an open file.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int complain(int code, const std::string& message) {
  fmt::print(stderr, "lrtune-checkpoints: {}\n", message);
  return code;
}

Result<std::optional<wire::ServerSecurity>> load_keys(const Options& options) {
  if (options.keys.empty()) return std::nullopt;
  auto keys = wire::load_server_keys(options.keys, wire::kCheckpointsKey);
  if (!keys) return tl::unexpected(keys.error());
  return *std::move(keys);
}

int run(int argc, char** argv) {
  CLI::App app("Keeps the checkpoints of lrtune workers that share no folder",
               "lrtune-checkpoints");
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  raise_file_limit();
  auto signals = StopSignals::block();
  if (!signals) return complain(kFailure, signals.error().message);
  const auto log = std::make_shared<spdlog::logger>(
      "checkpoints", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern(log_pattern());
  log->set_level(spdlog::level::from_str(options.log_level));
  const auto folder = CheckpointFolder::open(
      options.folder, static_cast<std::int64_t>(options.budget * kBytesOfGb));
  if (!folder) return complain(kBadUsage, folder.error().message);
  const auto warn = [log](const std::string& text) {
    log->warn(LogLine("refused").add("text", text).text());
  };
  const auto security = load_keys(options);
  if (!security) return complain(kBadUsage, security.error().message);
  auto server = CheckpointServer::listen(options.endpoint, **folder, warn, *security);
  if (!server) return complain(kBadUsage, server.error().message);
  log->info(
      LogLine("listens").add("endpoint", server->endpoint()).add("folder", options.folder).text());
  server->run(signals->descriptor());
  log->info(LogLine("exits").add("reason", signals->take()).text());
  signals->let_kill();
  return 0;
}

}  // namespace
}  // namespace lrtune

int main(int argc, char** argv) {
  try {
    return lrtune::run(argc, argv);
  } catch (const std::exception& error) {
    return lrtune::complain(lrtune::kFailure, error.what());
  }
}

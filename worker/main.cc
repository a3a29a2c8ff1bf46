// lrtune-worker: trains what a coordinator assigns, on one device.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>
#include <thread>

#include "common/logfmt.h"
#include "common/wire/messages.h"
#include "common/wire/security/key_folder.h"
#include "worker/checkpoint_channel/checkpoint_client.h"
#include "worker/not_nan.h"
#include "worker/runtime.h"
#include "worker/stop_signals.h"
#include "worker/trainer_choice.h"

namespace lrtune {
namespace {

constexpr int kFailure = 1;
constexpr int kBadUsage = 2;

struct Options {
  std::string endpoint;
  std::string keys;  // folder; empty: none
  std::string name;
  TrainerChoice trainer{.trainer = default_trainer(), .threads = 0, .decoding = {.threads = 0}};
  int slots = 1;
  int parent = 0;
  int give_up_seconds = 0;
  std::string log_level = "info";
  std::string checkpoints;         // folder; empty: none are kept
  std::string checkpoint_service;  // endpoint; empty: none
  double checkpoint_every = 60;    // seconds of training
  double checkpoint_budget = 4;    // GB
  double watchdog = 300;           // seconds; 0: off
  double walltime = 0;             // seconds; 0: it stays
  double leave_before = 60;        // seconds
  bool version = false;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("--connect", options.endpoint, "The coordinator, as tcp://HOST:PORT");
  app.add_option("--keys", options.keys,
                 "Folder with coordinator.public, worker.public and worker.secret (and "
                 "checkpoints.public for --checkpoint-service), made by 'lrtune keygen'; needed "
                 "unless the coordinator is on this machine's loopback");
  app.add_option("--name", options.name, "A name for people (default: host and process)");
  app.add_option("--device", options.trainer.device,
                 fmt::format("One of: {}; cuda:N is GPU number N", available_devices()))
      ->capture_default_str();
  app.add_option("--threads", options.trainer.threads,
                 "The most threads of a slot (default: the machine's cores divided by the slots)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--slots", options.slots, "Jobs that train side by side")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option(
         "--trainer", options.trainer.trainer,
         fmt::format("One of: {}; synthetic:KEY=VALUE,... trains nothing, for tests: iteration_us, "
                     "diverge_above, hang_at, hang_once",
                     available_trainers()))
      ->capture_default_str();
  auto* folder = app.add_option(
      "--checkpoints", options.checkpoints,
      "Folder where runs are kept, to go on after an interruption; workers may share it "
      "(default: none)");
  app.add_option("--checkpoint-service", options.checkpoint_service,
                 "lrtune-checkpoints, as tcp://HOST:PORT, through which workers that share no "
                 "folder pass checkpoints")
      ->needs(folder);
  app.add_option("--checkpoint-every", options.checkpoint_every,
                 "Seconds of training between two checkpoints of a run")
      ->check(CLI::Range(0.001, 1e9))
      ->check(not_nan())
      ->capture_default_str();
  app.add_option("--checkpoint-budget", options.checkpoint_budget,
                 "GB that the checkpoints of the folder may take together")
      ->check(CLI::Range(0.001, 1e9))
      ->check(not_nan())
      ->capture_default_str();
  app.add_option("--trust-folder", options.trainer.trusted,
                 "Folder that networks (TorchScript files, which are code) are taken from; may be "
                 "given several times (default: none)")
      ->check(CLI::ExistingDirectory)
      ->allow_extra_args(false);
  app.add_option("--decode-threads", options.trainer.decoding.threads,
                 "Threads of a slot that decode an image folder's JPEGs ahead of the training "
                 "(default: the machine's cores divided by the slots)")
      ->check(CLI::Range(1, 1024))
      ->take_last();
  app.add_flag("--cuda-graphs", options.trainer.record_steps,
               "Record training steps as CUDA graphs where they are the same work each time "
               "(never measured on a GPU)");
  app.add_option("--parent", options.parent, "Leave when this process ends")
      ->check(CLI::PositiveNumber);
  app.add_option("--give-up", options.give_up_seconds,
                 "Exit if no coordinator answers for so many seconds (default: keep trying)")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--watchdog", options.watchdog,
                 "Seconds after which a training thread that makes no step is taken for one that "
                 "hangs; ten times as long while it loads, evaluates or keeps a checkpoint. The "
                 "worker then reports it and exits with code 3. 0: never")
      ->check(CLI::Range(0.0, 1e7))
      ->check(not_nan())
      ->capture_default_str();
  auto* walltime = app.add_option(
      "--walltime", options.walltime,
      "Leave in order, to be gone so many seconds after the start, as a batch system's limit wants "
      "(default: stay)");
  walltime->check(CLI::Range(1.0, 1e9))->check(not_nan());
  app.add_option("--leave-before", options.leave_before,
                 "Begin to leave so many seconds before --walltime is over, and earlier by what a "
                 "checkpoint took")
      ->check(CLI::Range(0.1, 1e9))
      ->check(not_nan())
      ->needs(walltime)
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "What is written to standard error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  app.add_flag("--version", options.version, "Show version, protocol, back end and device");
}

void complete(Options& options) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  for (int* threads : {&options.trainer.threads, &options.trainer.decoding.threads}) {
    if (*threads == 0) *threads = std::max(1, cores / options.slots);
  }
  if (options.name.empty()) {
    char host[256] = "worker";
    gethostname(host, sizeof host - 1);
    options.name = fmt::format("{}/{}", host, getpid());
  }
}

int complain(int code, const std::string& message) {
  fmt::print(stderr, "lrtune-worker: {}\n", message);
  return code;
}

int show_version(const Result<std::unique_ptr<Trainer>>& trainer) {
  fmt::print("lrtune-worker {}\nprotocol: {}\ntrainers: {}\ndevices: {}\n", LRTUNE_VERSION,
             wire::kProtocolVersion, available_trainers(), available_devices());
  if (!trainer) return complain(kFailure, trainer.error().message);
  const Numerics numerics = (*trainer)->numerics();
  fmt::print("here: {} on {} ({}), at most {} threads a slot\n", numerics.backend, numerics.device,
             numerics.instruction_set, numerics.threads);
  return 0;
}

// As a part of spdlog's pattern, in which '%' means something.
std::string worker_field(const std::string& name) {
  std::string field;
  for (const char sign : "worker=" + logfmt_value(name)) field.append(sign == '%' ? 2 : 1, sign);
  return field;
}

std::shared_ptr<spdlog::logger> make_log(const Options& options) {
  auto log =
      std::make_shared<spdlog::logger>("worker", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern(log_pattern(worker_field(options.name)));
  log->set_level(spdlog::level::from_str(options.log_level));
  return log;
}

// Keys for `server`; none without --keys.
Result<std::optional<wire::ClientSecurity>> load_keys(const Options& options,
                                                      std::string_view server) {
  if (options.keys.empty()) return std::nullopt;
  auto keys = wire::load_client_keys(options.keys, wire::PeerRole::kWorker, server);
  if (!keys) return tl::unexpected(keys.error());
  return *std::move(keys);
}

// Where the runs keep their checkpoints; empty if the options name nothing.
struct CheckpointPlaces {
  std::unique_ptr<CheckpointFolder> folder;
  std::unique_ptr<RemoteCheckpoints> remote;
};

Result<CheckpointPlaces> open_checkpoints(Options& options,
                                          const std::shared_ptr<spdlog::logger>& log) {
  CheckpointPlaces places;
  if (options.checkpoints.empty()) return places;
  constexpr double kBytes = 1e9;
  auto folder = CheckpointFolder::open(
      options.checkpoints, static_cast<std::int64_t>(options.checkpoint_budget * kBytes));
  if (!folder) return tl::unexpected(folder.error());
  places.folder = *std::move(folder);
  const auto say = [log](const std::string& text) {
    log->info(LogLine("checkpoints").add("text", text).text());
  };
  if (!options.checkpoint_service.empty()) {
    auto security = load_keys(options, wire::kCheckpointsKey);
    if (!security) return tl::unexpected(security.error());
    auto remote = connect_checkpoint_client(
        *places.folder,
        {.endpoint = options.checkpoint_service, .security = *std::move(security), .log = say});
    if (!remote) return tl::unexpected(remote.error());
    places.remote = *std::move(remote);
  }
  options.trainer.checkpoints = {
      .folder = places.folder.get(),
      .remote = places.remote.get(),
      .every = std::chrono::milliseconds(static_cast<std::int64_t>(options.checkpoint_every * 1e3)),
      .log = say};
  return places;
}

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

// A notice of preemption may be followed by a SIGTERM that still leaves time; SIGTERM or SIGINT
// again is from somebody who will not wait.
StopSource stop_source(StopSignals& signals) {
  return {.descriptor = signals.descriptor(),
          .take =
              [&signals, asked = 0]() mutable {
                const std::string name = signals.take();
                const bool again = name != "SIGUSR1" && ++asked > 1;
                if (again) signals.let_kill();
                return StopNotice{name, again};
              },
          .may_come_again = true};
}

Result<WorkerEnd> work(const Options& options, Trainer& trainer, StopSignals& signals,
                       const std::shared_ptr<spdlog::logger>& log) {
  WorkerRuntimeOptions runtime;
  runtime.endpoint = options.endpoint;
  auto security = load_keys(options, wire::kCoordinatorKey);
  if (!security) return tl::unexpected(security.error());
  runtime.security = *std::move(security);
  runtime.core.name = options.name;
  runtime.core.slots = options.slots;
  if (options.give_up_seconds > 0)
    runtime.core.give_up_after = std::chrono::seconds(options.give_up_seconds);
  runtime.core.watchdog = milliseconds_of(options.watchdog);
  if (options.walltime > 0) runtime.core.walltime = milliseconds_of(options.walltime);
  runtime.core.leave_before = milliseconds_of(options.leave_before);
  runtime.stop_sources.push_back(stop_source(signals));
  Descriptor parent;
  if (options.parent > 0) {
    auto watched = watch_process(options.parent);
    if (!watched) return tl::unexpected(watched.error());
    parent = std::move(*watched);
    runtime.stop_sources.push_back(
        {parent.number(), [] { return StopNotice{"the process that started it ended"}; }});
  }
  log->info(LogLine("connects")
                .add("endpoint", options.endpoint)
                .add("slots", options.slots)
                .add("threads", options.trainer.threads)
                .add("device", options.trainer.device)
                .text());
  auto end = run_worker(runtime, trainer, log);
  if (!end) return end;
  log->log(end->code == 0 ? spdlog::level::info : spdlog::level::err,
           LogLine("exits").add("code", end->code).add("reason", end->reason).text());
  log->flush();
  if (end->left_behind) std::_Exit(end->code);  // nobody can wait for a thread that hangs
  return end;
}

int run(int argc, char** argv) {
  CLI::App app("Trains learning-rate policies for an lrtune coordinator", "lrtune-worker");
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  if (!options.version && options.endpoint.empty()) {
    return complain(kBadUsage,
                    "--connect is needed, for example --connect tcp://HOST:PORT; see --help");
  }
  if (options.walltime > 0 && options.walltime <= options.leave_before) {
    return complain(kBadUsage, fmt::format("--walltime {} must be longer than --leave-before {}",
                                           options.walltime, options.leave_before));
  }
  complete(options);
  if (const auto good = wire::check_worker_name(options.name); !good)
    return complain(kBadUsage, "--name " + good.error().message);
  auto signals = StopSignals::block();  // before the trainer starts threads
  if (!signals) return complain(kFailure, signals.error().message);
  const auto log = make_log(options);
  const auto checkpoints = open_checkpoints(options, log);
  if (!checkpoints) return complain(kBadUsage, checkpoints.error().message);
  options.trainer.decoding.log = [log](const std::string& text) {
    log->warn(LogLine("images").add("text", text).text());
  };
  const auto trainer = make_trainer(options.trainer);
  if (options.version) return show_version(trainer);
  if (!trainer) return complain(kBadUsage, trainer.error().message);
  const auto end = work(options, **trainer, *signals, log);
  if (!end) return complain(kBadUsage, end.error().message);
  return end->code;
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

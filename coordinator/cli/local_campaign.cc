#include "coordinator/cli/local_campaign.h"

#include <fmt/format.h>
#include <pwd.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/logfmt.h"
#include "coordinator/cli/embedded_run.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/listening.h"
#include "coordinator/cli/open_files.h"
#include "coordinator/cli/standard_streams.h"
#include "coordinator/cli/text_file.h"
#include "coordinator/methods/stored_range.h"

namespace lrtune {
namespace {

// The log of the coordinator itself: structured lines, in a file of the output folder.
Result<std::shared_ptr<spdlog::logger>> open_log(const std::filesystem::path& path) try {
  mark_new_run(path);
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(path.string());
  auto log = std::make_shared<spdlog::logger>("coordinator", std::move(sink));
  log->set_pattern(log_pattern());
  log->flush_on(spdlog::level::info);
  return log;
} catch (const spdlog::spdlog_ex& error) {
  return fail(fmt::format("cannot write the log {}: {}", path.string(), error.what()));
}

const CampaignRecord* find_campaign(const StoredState& stored, const Digest& hash) {
  for (const CampaignRecord& campaign : stored.campaigns) {
    if (campaign.hash == hash) return &campaign;
  }
  return nullptr;
}

// Who trains where: it stands beside each run in the store, also when another team takes that in.
std::string user_and_host() {
  const passwd* user = getpwuid(geteuid());
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) return {};
  std::string place = fmt::format("{}@{}", user != nullptr ? user->pw_name : "", host.data());
  return wire::check_worker_name(place + "/worker-99") ? place : std::string();
}

Result<LocalWorkerOptions> worker_options(const RunOptions& given, const WorkerNeeds& needs,
                                          const OutputFolder& output, const std::string& endpoint) {
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  auto program = worker_program(given, needs, self.parent_path());
  if (!program) return tl::unexpected(program.error());
  LocalWorkerOptions options;
  options.program = std::move(*program);
  options.endpoint = endpoint;
  options.device = needs.device;
  options.threads = needs.threads;
  options.place = user_and_host();
  options.logs = output.logs();
  const auto folder = checkpoint_folder(given);
  if (!folder) return tl::unexpected(folder.error());
  if (*folder) options.arguments = {"--checkpoints", (*folder)->string()};
  for (const std::string& trusted : given.trusted)
    options.arguments.insert(options.arguments.end(), {"--trust-folder", trusted});
  options.arguments.insert(options.arguments.end(), given.worker_arguments.begin(),
                           given.worker_arguments.end());
  return options;
}

int ended(const EmbeddedRun& embedded, const RunOptions& options) {
  switch (embedded.end()) {
    case RunEnd::kDone:
      return kExitDone;
    case RunEnd::kStopped:
      say("lrtune: stopped; what is done is kept in {}. The same command goes on.\n",
          options.store);
      return kExitResumable;
    case RunEnd::kCampaignFailed:  // by its data or its values: no trial could be made
      return say_error({embedded.reason()}, kExitBadInput);
    case RunEnd::kFailed:
      break;
  }
  return say_error({embedded.reason()}, kExitFailure);
}

RuntimeOptions runtime_options(const RunOptions& options, std::span<const Experiment> experiments) {
  RuntimeOptions runtime;
  for (const Experiment& experiment : experiments)
    runtime.core.only_campaigns.push_back(experiment.hash);
  runtime.core.workers_survive = !options.listen.empty();
  // Without checkpoints nothing can be gone on from.
  runtime.core.share_stages = !options.no_stage_sharing && !options.no_checkpoints;
  return runtime;
}

// "mine", "mine-compare (3 campaigns)".
std::string named(std::span<const Experiment> experiments) {
  const std::string& first = experiments.front().name;
  return experiments.size() == 1 ? first
                                 : fmt::format("{} ({} campaigns)", first, experiments.size());
}

std::string_view plural(int count, std::string_view one, std::string_view many) {
  return count == 1 ? one : many;
}

tl::expected<std::unique_ptr<LocalWorkers>, int> start_workers(
    const RunOptions& options, std::span<const Experiment> experiments, const OutputFolder& output,
    const std::string& endpoint) {
  const WorkerNeeds needs = worker_needs(experiments.front());
  auto with = worker_options(options, needs, output, endpoint);
  if (!with) return tl::unexpected(say_error(with.error(), kExitFailure));
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int count =
      options.workers > 0 ? options.workers : default_workers(experiments, needs, cores);
  const auto first = with->arguments.begin();  // what the user gives comes later and counts
  with->arguments.insert(first, {"--decode-threads", std::to_string(std::max(1, cores / count))});
  auto workers = std::make_unique<LocalWorkers>(*std::move(with));
  if (auto started = workers->start(count); !started)
    return tl::unexpected(say_error(started.error(), kExitFailure));
  say("lrtune: {} with {} local {} ({}, {} {} each)\n", named(experiments), count,
      plural(count, "worker", "workers"), needs.device, needs.threads,
      plural(needs.threads, "thread", "threads"));
  return workers;
}

// Until the campaigns are done; otherwise the exit code that says why not.
int train(const RunOptions& options, std::span<const Experiment> experiments, SqliteStore& store,
          const OutputFolder& output) {
  const bool local = options.listen.empty();
  if (!local) raise_open_files();
  auto signals = CommandSignals::open();  // before ZeroMQ starts its threads
  if (!signals) return say_error(signals.error(), kExitFailure);
  auto log = open_log(output.logs() / "coordinator.log");
  if (!log) return say_error(log.error(), kExitFailure);
  const std::string endpoint = local ? "tcp://127.0.0.1:*" : options.listen;
  if (auto good = check_listening(endpoint, options.keys); !good)
    return say_error(good.error(), kExitBadInput);
  auto socket = listen(endpoint, options.keys, *log);
  if (!socket) return say_error(socket.error(), kExitFailure);
  Runtime runtime(std::move(*socket), store, runtime_options(options, experiments), *log);
  for (const Experiment& experiment : experiments) runtime.post(event::Submitted{experiment, true});

  std::unique_ptr<LocalWorkers> workers;
  if (local) {
    auto started = start_workers(options, experiments, output, runtime.endpoint());
    if (!started) return started.error();
    workers = *std::move(started);
  } else {
    say("lrtune: {} with the workers that connect to {}\n", named(experiments), runtime.endpoint());
  }
  EmbeddedRun embedded(runtime, experiments.size(), workers.get(), *signals);
  if (auto ran = runtime.run(embedded); !ran) return say_error(ran.error(), kExitFailure);
  return ended(embedded, options);
}

// Without a store's file there is none, and none is made.
tl::expected<Result<StoredRange>, int> look_up_range(const RunOptions& options,
                                                     const Experiment& experiment) {
  std::string command = "lrtune range-test " + options.file;
  if (options.store != RunOptions{}.store) command += " --store " + options.store;
  if (!std::filesystem::exists(options.store))
    return Result<StoredRange>(tl::unexpected(no_range_test(command)));
  const auto store = open_store(options);
  if (!store) return tl::unexpected(store.error());
  const auto stored = (*store)->load();
  if (!stored) return tl::unexpected(say_error(stored.error(), kExitFailure));
  return stored_range(*stored, experiment, command);
}

}  // namespace

int say_error(const Error& error, int exit_code) {
  say("lrtune: {}\n", error.message);
  return exit_code;
}

tl::expected<std::unique_ptr<SqliteStore>, int> open_store(const RunOptions& options) {
  if (auto file = check_store_file(options.store); !file)
    return tl::unexpected(say_error(file.error(), kExitBadInput));
  auto store = SqliteStore::open(options.store);
  if (!store) return tl::unexpected(say_error(store.error(), kExitFailure));
  return std::move(*store);
}

tl::expected<Experiment, int> experiment_to_run(const RunOptions& options) {
  const auto refuse = [](const Error& error) {
    return tl::unexpected(say_error(error, kExitBadInput));
  };
  const auto text = read_text_file(options.file, "an experiment");
  if (!text) return refuse(text.error());
  auto experiment = read_experiment(options, kAnyRangeFinding);
  if (!experiment) return refuse(experiment.error());
  if (!takes_range_test(*text)) return *std::move(experiment);
  const auto range = look_up_range(options, *experiment);
  if (!range) return tl::unexpected(range.error());
  experiment = read_experiment(options, range->map(&StoredRange::found));
  if (!experiment) return refuse(experiment.error());
  const StoredRange& found = **range;
  say("lrtune: {} goes by the range test {} (campaign {}): rates from {} to {}\n", options.file,
      found.name, found.campaign.value, found.found.lower, found.found.upper);
  return *std::move(experiment);
}

int carry_out(const RunOptions& options, std::span<const Experiment> experiments,
              SqliteStore& store, const OutputFolder& output) {
  const auto stored = store.load();
  if (!stored) return say_error(stored.error(), kExitFailure);
  std::vector<Experiment> open, done;
  for (const Experiment& experiment : experiments) {
    const CampaignRecord* campaign = find_campaign(*stored, experiment.hash);
    const bool twice = std::ranges::find(open, experiment.hash, &Experiment::hash) != open.end();
    if (twice) continue;
    const bool is_done = campaign != nullptr && campaign->state == CampaignState::kDone;
    (is_done ? done : open).push_back(experiment);
  }
  if (!done.empty()) {
    say("lrtune: {} {} done already; nothing is trained again\n", named(done),
        done.size() == 1 ? "is" : "are");
  }
  return open.empty() ? kExitDone : train(options, open, store, output);
}

void add_local_options(CLI::App& command, RunOptions& options) {
  auto* workers = command
                      .add_option("--workers", options.workers,
                                  "Local workers; default: cores divided by the experiment's "
                                  "threads")
                      ->check(CLI::Range(1, 1024));
  auto* listen = command
                     .add_option("--listen", options.listen,
                                 "Where workers of other machines connect to (lrtune-worker "
                                 "--connect); no local ones are started then")
                     ->type_name("tcp://ADDR:PORT")
                     ->excludes(workers);
  command
      .add_option("--keys", options.keys,
                  "Folder of `lrtune keygen`, for --listen: whose keys are in it may come in, "
                  "nobody else; needed unless it is loopback")
      ->type_name("DIR")
      ->needs(listen);
  command.add_option("--store", options.store, "The policy store")->capture_default_str();
  command
      .add_option("--device", options.device,
                  "Instead of train.device of the file; makes it another experiment")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  command.add_option("--output", options.output,
                     "Folder for tables, plots and logs; default: lrtune-results/NAME-HASH");
  auto* folder = command.add_option(
      "--checkpoints", options.checkpoints,
      "Folder where interrupted runs are kept; default: the store's name with .checkpoints");
  command.add_flag("--no-checkpoints", options.no_checkpoints, "An interrupted run starts again")
      ->excludes(folder);
  command.add_flag("--no-stage-sharing", options.no_stage_sharing,
                   "Each run trains its beginning itself; the results are the same bits");
  command
      .add_option("--trust-folder", options.trusted,
                  "Folder that networks (TorchScript files, which are code) may come from; may be "
                  "given again")
      ->check(CLI::ExistingDirectory)
      ->allow_extra_args(false);
  command
      .add_option("--worker-program", options.worker_program,
                  "Instead of the lrtune-worker beside this program")
      ->check(CLI::ExistingFile);
  command
      .add_option("--worker-argument", options.worker_arguments,
                  "One more argument for each worker; may be given again")
      ->allow_extra_args(false);
}

}  // namespace lrtune

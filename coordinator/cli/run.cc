#include "coordinator/cli/run.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>

#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include "common/logfmt.h"
#include "coordinator/cli/embedded_run.h"
#include "coordinator/cli/exit_code.h"
#include "coordinator/cli/output_folder.h"
#include "coordinator/cli/result_files.h"
#include "coordinator/cli/run_settings.h"
#include "coordinator/cli/terminal.h"
#include "coordinator/store/sqlite_store.h"

namespace lrtune {
namespace {

int say_error(const Error& error, int exit_code) {
  say("lrtune: {}\n", error.message);
  return exit_code;
}

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

class RunCommand {
 public:
  RunCommand(const RunOptions& options, Experiment experiment, WorkerNeeds needs)
      : options_(options), experiment_(std::move(experiment)), needs_(std::move(needs)) {}

  int run() {
    if (auto file = check_store_file(options_.store); !file) {
      return say_error(file.error(), kExitBadInput);
    }
    auto store = SqliteStore::open(options_.store);
    if (!store) return say_error(store.error(), kExitFailure);
    store_ = std::move(*store);
    const auto stored = store_->load();
    if (!stored) return say_error(stored.error(), kExitFailure);
    auto output =
        OutputFolder::open(options_.output.empty() ? default_output(experiment_)
                                                   : std::filesystem::path(options_.output));
    if (!output) return say_error(output.error(), kExitFailure);
    output_ = std::move(*output);
    const CampaignRecord* campaign = find_campaign(*stored, experiment_.hash);
    if (campaign == nullptr || campaign->state != CampaignState::kDone) {
      if (const int code = train(); code != kExitDone) return code;
    } else {
      say("lrtune: {} is done already; nothing is trained again\n", experiment_.name);
    }
    return show_results();
  }

 private:
  int train();
  int ended(const EmbeddedRun& embedded) const;
  int show_results();
  Result<LocalWorkerOptions> worker_options(const std::string& endpoint) const;

  const RunOptions& options_;
  Experiment experiment_;
  WorkerNeeds needs_;
  std::optional<OutputFolder> output_;  // from run() on
  std::unique_ptr<SqliteStore> store_;
};

Result<LocalWorkerOptions> RunCommand::worker_options(const std::string& endpoint) const {
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  auto program = worker_program(options_, needs_, self.parent_path());
  if (!program) return tl::unexpected(program.error());
  LocalWorkerOptions options;
  options.program = std::move(*program);
  options.endpoint = endpoint;
  options.device = needs_.device;
  options.threads = needs_.threads;
  options.logs = output_->logs();
  const auto folder = checkpoint_folder(options_);
  if (!folder) return tl::unexpected(folder.error());
  if (*folder) options.arguments = {"--checkpoints", (*folder)->string()};
  for (const std::string& trusted : options_.trusted)
    options.arguments.insert(options.arguments.end(), {"--trust-folder", trusted});
  options.arguments.insert(options.arguments.end(), options_.worker_arguments.begin(),
                           options_.worker_arguments.end());
  return options;
}

// Until the campaign is done; otherwise the exit code that says why not.
int RunCommand::train() {
  auto signals = StopSignals::open();  // before ZeroMQ starts its threads
  if (!signals) return say_error(signals.error(), kExitFailure);
  auto log = open_log(output_->logs() / "coordinator.log");
  if (!log) return say_error(log.error(), kExitFailure);
  auto socket = wire::RouterSocket::bind("tcp://127.0.0.1:*");
  if (!socket) return say_error(socket.error(), kExitFailure);

  RuntimeOptions runtime_options;
  runtime_options.core.only_campaign = experiment_.hash;
  runtime_options.core.workers_survive = false;
  // Without checkpoints nothing can be gone on from.
  runtime_options.core.share_stages = !options_.no_stage_sharing && !options_.no_checkpoints;
  Runtime runtime(std::move(*socket), *store_, runtime_options, *log);
  runtime.post(event::Submitted{experiment_, true});

  auto workers_with = worker_options(runtime.endpoint());
  if (!workers_with) return say_error(workers_with.error(), kExitFailure);
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int count =
      options_.workers > 0 ? options_.workers : default_workers(experiment_, needs_, cores);
  const auto first = workers_with->arguments.begin();  // what the user gives comes later and counts
  workers_with->arguments.insert(first,
                                 {"--decode-threads", std::to_string(std::max(1, cores / count))});
  LocalWorkers workers(std::move(*workers_with));
  if (auto started = workers.start(count); !started) {
    return say_error(started.error(), kExitFailure);
  }
  say("lrtune: {} with {} local {} ({}, {} {} each)\n", experiment_.name, count,
      count == 1 ? "worker" : "workers", needs_.device, needs_.threads,
      needs_.threads == 1 ? "thread" : "threads");

  EmbeddedRun embedded(runtime, workers, *signals);
  if (auto ran = runtime.run(embedded); !ran) return say_error(ran.error(), kExitFailure);
  return ended(embedded);
}

int RunCommand::ended(const EmbeddedRun& embedded) const {
  switch (embedded.end()) {
    case RunEnd::kDone:
      return kExitDone;
    case RunEnd::kStopped:
      say("lrtune: stopped; what is done is kept in {}. The same command goes on.\n",
          options_.store);
      return kExitResumable;
    case RunEnd::kCampaignFailed:  // by its data or its values: no trial could be made
      return say_error({embedded.reason()}, kExitBadInput);
    case RunEnd::kFailed:
      break;
  }
  return say_error({embedded.reason()}, kExitFailure);
}

int RunCommand::show_results() {
  const auto stored = store_->load();
  if (!stored) return say_error(stored.error(), kExitFailure);
  const auto results = collect_results(*stored, experiment_.hash);
  if (!results) return say_error(results.error(), kExitFailure);
  const auto files = write_result_files(*results, output_->path());
  if (!files) return say_error(files.error(), kExitFailure);

  const std::string best = best_policy_yaml(*results);
  std::string text;
  if (options_.json) {
    nlohmann::json document = to_json(*results);
    for (const auto& file : *files) document["files"].push_back(file.string());
    text = document.dump(2) + '\n';
  } else {
    text = results_text(*results, terminal_of(1));
    if (!best.empty()) text += '\n' + best;
  }
  if (!write_data(text)) return kExitFailure;
  say("lrtune: results, plots and logs are in {}\n", output_->path().string());
  if (best.empty()) return say_error({"no policy ended well"}, kExitFailure);
  return kExitDone;
}

int run(const RunOptions& options) {
  // Whoever read the progress may go away; the run does not.
  std::signal(SIGPIPE, SIG_IGN);
  auto experiment = read_experiment(options);
  if (!experiment) return say_error(experiment.error(), kExitBadInput);
  WorkerNeeds needs = worker_needs(*experiment);
  return RunCommand(options, std::move(*experiment), std::move(needs)).run();
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand(
      "run", "Carries an experiment out with workers on this machine, or goes on with it");
  command->add_option("file", options->file, "The experiment (docs/EXPERIMENTS.md)")->required();
  command
      ->add_option("--workers", options->workers,
                   "Local workers; default: cores divided by the experiment's threads")
      ->check(CLI::Range(1, 1024));
  command->add_option("--store", options->store, "The policy store")->capture_default_str();
  command
      ->add_option("--device", options->device,
                   "Instead of train.device of the file; makes it another experiment")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  command->add_option("--output", options->output,
                      "Folder for tables, plots and logs; default: lrtune-results/NAME-HASH");
  auto* folder = command->add_option(
      "--checkpoints", options->checkpoints,
      "Folder where interrupted runs are kept; default: the store's name with .checkpoints");
  command->add_flag("--no-checkpoints", options->no_checkpoints, "An interrupted run starts again")
      ->excludes(folder);
  command->add_flag("--no-stage-sharing", options->no_stage_sharing,
                    "Each run trains its beginning itself; the results are the same bits");
  command
      ->add_option("--trust-folder", options->trusted,
                   "Folder that networks (TorchScript files, which are code) may come from; may be "
                   "given again")
      ->check(CLI::ExistingDirectory)
      ->allow_extra_args(false);
  command->add_flag("--json", options->json, "Prints one JSON document instead of tables");
  command
      ->add_option("--worker-program", options->worker_program,
                   "Instead of the lrtune-worker beside this program")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--worker-argument", options->worker_arguments,
                   "One more argument for each worker; may be given again")
      ->allow_extra_args(false);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace lrtune

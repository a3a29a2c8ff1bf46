#include "coordinator/cli/local_workers.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "coordinator/cli/output_folder.h"

namespace lrtune {

namespace {

// A job that is set aside for its workers' deaths keeps this, so it is short.
std::string last_line(const std::filesystem::path& log) {
  constexpr std::size_t kLongest = 300;
  std::string line = end_of_log(log, 1);
  const std::size_t begin = line.find_first_not_of(" \n");
  if (line.empty()) return fmt::format("its log {} is empty", log.string());
  if (begin == std::string::npos) return fmt::format("its log is {}", log.string());
  line = line.substr(begin);
  if (line.size() > kLongest) line = line.substr(0, kLongest) + "...";
  return fmt::format("its log {} ends with: {}", log.string(), line);
}

}  // namespace

Result<void> LocalWorkers::start(int count) {
  for (int number = 1; number <= count; ++number) {
    Worker& worker = workers_.emplace_back();
    worker.short_name = fmt::format("worker-{}", number);
    worker.name = options_.place.empty() ? worker.short_name
                                         : fmt::format("{}/{}", options_.place, worker.short_name);
    mark_new_run(log_of(worker));
    if (auto launched = launch(worker); !launched) return launched;
  }
  return {};
}

std::filesystem::path LocalWorkers::log_of(const Worker& worker) const {
  return options_.logs / (worker.short_name + ".log");
}

Result<void> LocalWorkers::launch(Worker& worker) {
  std::vector<std::string> arguments{
      "--connect", options_.endpoint,        "--name",    worker.name,
      "--device",  options_.device,          "--threads", std::to_string(options_.threads),
      "--parent",  std::to_string(getpid()),
  };
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  // OpenMP's threads would go on turning while they wait, and with other workers on the same cores
  // that costs more than waking them.
  std::vector<std::string> defaults;
  if (options_.threads > 1) defaults.emplace_back("OMP_WAIT_POLICY=passive");
  auto process =
      ChildProcess::start(options_.program, arguments, log_of(worker), std::move(defaults));
  if (!process) return tl::unexpected(process.error());
  worker.process = std::move(*process);
  worker.restart_at.reset();
  worker.since.reset();
  worker.terminated = false;
  return {};
}

std::vector<int> LocalWorkers::descriptors() const {
  std::vector<int> descriptors;
  for (const Worker& worker : workers_) {
    if (worker.process) descriptors.push_back(worker.process->descriptor());
  }
  return descriptors;
}

std::optional<LocalWorkerEnd> LocalWorkers::ended(
    int descriptor, SteadyTime now,
    const std::function<WorkerStanding(const std::string&)>& standing) {
  const auto found = std::ranges::find_if(workers_, [&](const Worker& worker) {
    return worker.process && worker.process->descriptor() == descriptor;
  });
  if (found == workers_.end()) return std::nullopt;
  Worker& worker = *found;
  const auto end = worker.process->ended();
  if (!end) return std::nullopt;
  worker.process.reset();
  LocalWorkerEnd result{worker.name, fmt::format("{} {}", worker.short_name, end->words()),
                        last_line(log_of(worker)), std::nullopt};
  if (stopping_) return result;

  const WorkerStanding seen = standing(worker.name);
  const bool lasted = worker.since && now - *worker.since >= options_.lasting;
  const bool progress = seen.joined && (seen.finished || lasted);
  worker.early_deaths = seen.joined ? 0 : worker.early_deaths + 1;
  worker.deaths = progress ? 1 : worker.deaths + 1;
  result.given_up = hopeless(worker, result.reason);
  if (!result.given_up) {
    const auto delay = options_.first_delay * (1 << std::min(worker.deaths - 1, 16));
    worker.restart_at = now + std::min(options_.last_delay, delay);
  }
  return result;
}

// Why the worker is not started again; nothing if it is.
std::optional<std::string> LocalWorkers::hopeless(const Worker& worker,
                                                  const std::string& end) const {
  const bool early = worker.early_deaths >= options_.early_deaths;
  if (!early && worker.deaths < options_.deaths) return std::nullopt;
  const std::string log = end_of_log(log_of(worker), 10);
  return fmt::format("{} {}, {} times in a row. {} {}", end,
                     early ? "before it could join" : "before it could finish a job",
                     early ? worker.early_deaths : worker.deaths, log_of(worker).string(),
                     log.empty() ? "is empty" : "ends with:\n" + log);
}

Result<void> LocalWorkers::restart_due(SteadyTime now) {
  if (stopping_) return {};
  for (Worker& worker : workers_) {
    if (worker.process && !worker.since) worker.since = now;
    if (!worker.restart_at || now < *worker.restart_at) continue;
    if (auto launched = launch(worker); !launched) return launched;
  }
  return {};
}

void LocalWorkers::kill() {
  stopping_ = true;
  for (Worker& worker : workers_) worker.process.reset();
}

void LocalWorkers::terminate(const std::string& name) {
  for (Worker& worker : workers_) {
    if (worker.name != name || !worker.process || worker.terminated) continue;
    worker.terminated = true;
    worker.process->signal(SIGTERM);
  }
}

int LocalWorkers::running() const { return static_cast<int>(running_names().size()); }

std::vector<std::string> LocalWorkers::running_names() const {
  std::vector<std::string> names;
  for (const Worker& worker : workers_) {
    if (worker.process) names.push_back(worker.name);
  }
  return names;
}

}  // namespace lrtune

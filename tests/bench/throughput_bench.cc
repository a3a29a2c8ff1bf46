// Empty trials a second through everything that a real one passes: the coordinator's loop, its
// store on disk, a ROUTER over TCP on loopback, and worker processes with their own loop. Only the
// trainer is empty: it names the state that its job leads to, and ends.
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/state_name.h"
#include "common/wire/security/key_folder.h"
#include "coordinator/runtime.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/support/temporary_folder.h"
#include "worker/runtime.h"

namespace lrtune {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  std::int64_t trials = 100'000;
  int workers = 2;
  int slots = 1;
  int iterations = 1;
  int trial_us = 0;
  int commit_delay_ms = 0;
  bool curve = false;
  std::string folder = ".";
  std::string log;
};

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

double cpu_seconds(const rusage& use) {
  return seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
}

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

// What a trial, or a slower disk, takes without using a core.
void take_time(std::chrono::microseconds time) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  const auto end = Clock::now() + time;
  while (never.wait_until(lock, end) != std::cv_status::timeout) {
  }
}

// ---- the worker's side

// Ends at once, or after a time without using a core. Keeps how long a slot stood still between two
// jobs: with nothing sent ahead, that is report, commit and assignment.
class EmptyTrainer final : public Trainer {
 public:
  explicit EmptyTrainer(const Options& options) : wait_(options.trial_us) {}

  Numerics numerics() const override {
    return {.backend = "empty 1", .device = "cpu", .instruction_set = "DEFAULT", .threads = 1};
  }

  Result<DataFacts> survey(const TrainSpec&) override {
    return DataFacts{.fingerprint = sha256("nothing"),
                     .train_samples = 50'000,
                     .validation_samples = 5'000,
                     .test_samples = 10'000,
                     .classes = 10};
  }

  Outcome train(const TrainingJob& job, TrainingObserver&, const std::atomic<bool>&) override {
    if (ended_) gaps_.push_back(Seconds(Clock::now() - *ended_).count());
    if (!(job.identity == identity_)) {
      identity_ = job.identity;
      hash_ = identity_.hash();
    }
    const Digest from = initial_state(hash_, job.seed);
    if (wait_.count() > 0) take_time(wait_);
    Outcome outcome{.kind = OutcomeKind::kCompleted,
                    .iteration = job.plan.iterations,
                    .state = state_after(from, job.policy, 0, job.plan.iterations)};
    ended_ = Clock::now();
    return outcome;
  }

  const std::vector<double>& gaps() const { return gaps_; }

 private:
  std::chrono::microseconds wait_;
  TrainingIdentity identity_;  // one thread: these workers have one slot each
  Digest hash_;
  std::optional<Clock::time_point> ended_;
  std::vector<double> gaps_;
};

// Files that the two sides use in place of arguments: the workers are forked before there is a
// socket.
struct Places {
  const TemporaryFolder& folder;
  std::string keys() const { return folder.file("keys"); }
  std::string gaps(int worker) const { return folder.file(fmt::format("gaps-{}", worker)); }
};

std::string worker_name(int number) { return fmt::format("w{}", number); }

std::shared_ptr<spdlog::logger> quiet_log() {
  auto log =
      std::make_shared<spdlog::logger>("bench", std::make_shared<spdlog::sinks::null_sink_mt>());
  log->set_level(spdlog::level::warn);
  return log;
}

int work(const Options& options, const Places& places, int number, int endpoint_pipe) {
  std::string endpoint;
  for (char c = 0; read(endpoint_pipe, &c, 1) == 1 && c != '\n';) endpoint += c;
  WorkerRuntimeOptions with;
  with.endpoint = endpoint;
  with.core.name = worker_name(number);
  with.core.slots = options.slots;
  if (options.curve) {
    auto keys = wire::load_client_keys(places.keys() + "/workers/" + worker_name(number),
                                       wire::PeerRole::kWorker);
    if (!keys) return 2;
    with.security = *keys;
  }
  EmptyTrainer trainer(options);
  const auto end = run_worker(with, trainer, quiet_log());
  if (!end || end->code != 0) return 1;
  std::ofstream file(places.gaps(number), std::ios::binary);
  file.write(reinterpret_cast<const char*>(trainer.gaps().data()),
             static_cast<std::streamsize>(trainer.gaps().size() * sizeof(double)));
  return file ? 0 : 1;
}

std::vector<double> read_gaps(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto bytes = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  std::vector<double> gaps(bytes / sizeof(double));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(gaps.data()), static_cast<std::streamsize>(bytes));
  return gaps;
}

// ---- the coordinator's side

// Many disks take longer to sync than this machine's.
class SlowStore final : public Store {
 public:
  SlowStore(Store& inner, int delay_ms) : inner_(inner), delay_(delay_ms) {}
  Result<void> commit(std::span<const Record> records) override {
    auto done = inner_.commit(records);
    if (delay_.count() > 0) take_time(delay_);
    return done;
  }
  Result<StoredState> load() override { return inner_.load(); }

 private:
  Store& inner_;
  std::chrono::milliseconds delay_;
};

// Counts what is durable, and how many assignments are out.
class Counts final : public RuntimeObserver {
 public:
  explicit Counts(std::int64_t trials) : trials_(trials) {}

  void committed(std::span<const Record> records, Seconds commit) override {
    ++commits;
    commit_seconds += commit.count();
    for (const Record& record : records) {
      if (const auto* job = std::get_if<JobRecord>(&record)) note(*job);
    }
    out_sum += static_cast<double>(out_);
    most_out = std::max(most_out, out_);
  }
  void received(std::size_t bytes) override { received_bytes += bytes; }
  void sent(std::size_t bytes) override { sent_bytes += bytes; }

  // Trials a second between the first tenth and the last, without start and ranking.
  double steady_rate() const {
    return 0.8 * static_cast<double>(trials_) / Seconds(tenth_from_end_ - first_tenth_).count();
  }

  std::int64_t commits = 0;
  double commit_seconds = 0;
  double out_sum = 0;
  std::int64_t most_out = 0;
  std::int64_t done = 0;
  std::int64_t repeated = 0;
  std::size_t received_bytes = 0;
  std::size_t sent_bytes = 0;

 private:
  void note(const JobRecord& job) {
    if (job.attempt > 1) ++repeated;
    const auto id = static_cast<std::size_t>(job.id.value);
    if (states_.size() <= id) states_.resize(id + 1, JobState::kPending);
    const JobState before = std::exchange(states_[id], job.state);
    const auto held = [](JobState s) {
      return s == JobState::kAssigned || s == JobState::kRunning;
    };
    out_ += (held(job.state) ? 1 : 0) - (held(before) ? 1 : 0);
    if (job.state != JobState::kDone || before == JobState::kDone) return;
    ++done;
    if (done == trials_ / 10) first_tenth_ = Clock::now();
    if (done == trials_ - trials_ / 10) tenth_from_end_ = Clock::now();
  }

  std::int64_t trials_;
  std::int64_t out_ = 0;
  std::vector<JobState> states_;  // as last committed, by job
  Clock::time_point first_tenth_, tenth_from_end_;
};

class UntilDone final : public RuntimeWatcher {
 public:
  explicit UntilDone(Runtime& runtime) : runtime_(runtime) {}
  std::vector<int> descriptors() override { return {}; }
  void readable(int, const Now&) override {}
  bool watch(const Snapshot& snapshot, const Now&) override {
    siginfo_t ended{};
    waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT);
    if (ended.si_pid != 0 && !done_at) {
      failure = "a worker ended too early";
      return false;
    }
    for (const CampaignView& campaign : snapshot.campaigns) {
      const bool over =
          campaign.state == CampaignState::kDone || campaign.state == CampaignState::kFailed;
      if (!over || done_at) continue;
      done_at = Clock::now();
      failure = campaign.failure;
      runtime_.post(event::StopRequested{"the benchmark is over"});
    }
    return !snapshot.stopped;
  }

  std::optional<Clock::time_point> done_at;
  std::string failure;

 private:
  Runtime& runtime_;
};

Experiment experiment_of(const Options& options) {
  const std::string yaml = fmt::format(
      "name: empty\ntrain:\n  dataset: {{name: mnist}}\n  model: lenet\n"
      "  optimizer: {{name: sgd}}\n  batch: 100\n"
      "run: {{iterations: {0}, evaluate: {{every: {0}}}}}\nseed: 7\n"
      "search:\n  method: random\n  count: {1}\n  policies:\n"
      "    - {{function: fix, k0: {{log: [0.0001, 0.1]}}}}\n",
      options.iterations, options.trials);
  return experiment_from_yaml(yaml, "empty.yaml").value();
}

// The median of what a page costs to write and sync: the floor under a commit on this disk.
double sync_seconds(const TemporaryFolder& folder) {
  const int file = open(folder.file("page").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string page(4096, 'x');
  std::vector<double> times;
  for (int i = 0; i < 200; ++i) {
    const auto began = Clock::now();
    if (pwrite(file, page.data(), page.size(), i * 4096L) < 0 || fdatasync(file) != 0) break;
    times.push_back(Seconds(Clock::now() - began).count());
  }
  close(file);
  return percentile(times, 0.5);
}

Result<wire::RouterSocket> listen(const Options& options, const Places& places) {
  constexpr const char* kEndpoint = "tcp://127.0.0.1:*";
  if (!options.curve) return wire::RouterSocket::bind(kEndpoint);
  auto security = wire::load_server_keys(places.keys());
  if (!security) return tl::unexpected(security.error());
  return wire::RouterSocket::bind(kEndpoint, {}, *security);
}

struct WorkerProcess {
  pid_t pid = -1;
  int endpoint_pipe = -1;  // to write to
};

std::vector<WorkerProcess> fork_workers(const Options& options, const Places& places) {
  std::vector<WorkerProcess> workers;
  for (int number = 0; number < options.workers; ++number) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);  // it waits for a coordinator without end
    if (child == 0) _exit(work(options, places, number, ends[0]));
    close(ends[0]);
    workers.push_back({child, ends[1]});
  }
  return workers;
}

void tell(const std::vector<WorkerProcess>& workers, const std::string& endpoint) {
  const std::string line = endpoint + "\n";
  for (const WorkerProcess& worker : workers) {
    if (write(worker.endpoint_pipe, line.data(), line.size()) < 0) std::abort();
  }
}

struct WorkersEnd {
  double cpu = 0;
  bool failed = false;
  std::vector<double> gaps;
};

WorkersEnd wait_for(const std::vector<WorkerProcess>& workers, const Places& places) {
  WorkersEnd end;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    int status = 0;
    rusage use{};
    if (wait4(workers[i].pid, &status, 0, &use) < 0 || status != 0) end.failed = true;
    end.cpu += cpu_seconds(use);
    const std::vector<double> gaps = read_gaps(places.gaps(static_cast<int>(i)));
    end.gaps.insert(end.gaps.end(), gaps.begin(), gaps.end());
  }
  return end;
}

std::shared_ptr<spdlog::logger> coordinator_log(const Options& options) {
  if (options.log.empty()) return quiet_log();
  return std::make_shared<spdlog::logger>(
      "coordinator", std::make_shared<spdlog::sinks::basic_file_sink_st>(options.log));
}

void print(const Options& options, const Counts& counts, double sync, double wall, double cpu,
           double thread_cpu, WorkersEnd& end) {
  const auto trials = static_cast<double>(options.trials);
  const auto line = [](std::string_view name, const std::string& value) {
    fmt::print("{:<34}{}\n", name, value);
  };
  line("trials a second", fmt::format("{:.0f}", trials / wall));
  line("  without start and ranking", fmt::format("{:.0f}", counts.steady_rate()));
  line("coordinator CPU, us a trial",
       fmt::format("{:.1f} (its thread {:.1f})", 1e6 * cpu / trials, 1e6 * thread_cpu / trials));
  line("workers' CPU, us a trial", fmt::format("{:.1f}", 1e6 * end.cpu / trials));
  line("write and sync of a page, us", fmt::format("{:.0f}", 1e6 * sync));
  const auto commits = static_cast<double>(counts.commits);
  line("commits", fmt::format("{} of {:.2f} ms, {:.0f} trials each", counts.commits,
                              1e3 * counts.commit_seconds / commits, trials / commits));
  line("assignments out",
       fmt::format("{:.0f} on average, {} at most", counts.out_sum / commits, counts.most_out));
  line("bytes a trial", fmt::format("{:.0f} received, {:.0f} sent",
                                    static_cast<double>(counts.received_bytes) / trials,
                                    static_cast<double>(counts.sent_bytes) / trials));
  line("free slot to next job, us",
       fmt::format("{:.0f} median, {:.0f} p99", 1e6 * percentile(end.gaps, 0.5),
                   1e6 * percentile(end.gaps, 0.99)));
}

int fail_with(const std::string& why) {
  std::cerr << "throughput_bench: " << why << '\n';
  return 1;
}

int run(const Options& options) {
  const TemporaryFolder folder(options.folder);
  const Places places{folder};
  if (options.curve) {
    if (auto made = wire::make_key_folder(places.keys()); !made)
      return fail_with(made.error().message);
    for (int i = 0; i < options.workers; ++i) {
      auto key = wire::add_key(places.keys(), wire::PeerRole::kWorker, worker_name(i));
      if (!key) return fail_with(key.error().message);
    }
  }
  const std::vector<WorkerProcess> workers = fork_workers(options, places);

  const double sync = sync_seconds(folder);
  auto store = SqliteStore::open(folder.file("bench.db"));
  if (!store) return fail_with(store.error().message);
  SlowStore slow(**store, options.commit_delay_ms);
  auto socket = listen(options, places);
  if (!socket) return fail_with(socket.error().message);
  Counts counts(options.trials);
  RuntimeOptions with;
  with.observer = &counts;
  Runtime runtime(std::move(*socket), slow, with, coordinator_log(options));
  tell(workers, runtime.endpoint());

  rusage before{};
  rusage thread_before{};
  getrusage(RUSAGE_SELF, &before);
  getrusage(RUSAGE_THREAD, &thread_before);
  const auto began = Clock::now();
  UntilDone watcher(runtime);
  runtime.post(event::Submitted{experiment_of(options)});
  if (auto ran = runtime.run(watcher); !ran) return fail_with(ran.error().message);
  rusage after{};
  rusage thread_after{};
  getrusage(RUSAGE_SELF, &after);
  getrusage(RUSAGE_THREAD, &thread_after);
  if (!watcher.failure.empty()) {
    for (const WorkerProcess& worker : workers) kill(worker.pid, SIGKILL);
    return fail_with(watcher.failure);
  }
  WorkersEnd end = wait_for(workers, places);
  if (end.failed) return fail_with("a worker failed");
  if (counts.done != options.trials || counts.repeated != 0) {
    return fail_with(fmt::format("{} of {} trials are done, {} attempts were repeated", counts.done,
                                 options.trials, counts.repeated));
  }
  print(options, counts, sync, Seconds(*watcher.done_at - began).count(),
        cpu_seconds(after) - cpu_seconds(before),
        cpu_seconds(thread_after) - cpu_seconds(thread_before), end);
  return 0;
}

}  // namespace
}  // namespace lrtune

int main(int argc, char** argv) {
  lrtune::Options options;
  CLI::App app("Durable empty trials a second through real sockets, processes and the store");
  app.add_option("--trials", options.trials)
      ->check(CLI::Range(std::int64_t{10}, std::int64_t{10'000'000}));
  app.add_option("--workers", options.workers)->check(CLI::Range(1, 64));
  app.add_option("--iterations", options.iterations, "Of a trial's plan")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--trial-us", options.trial_us, "Time that a trial takes, without using a core");
  app.add_option("--commit-delay-ms", options.commit_delay_ms, "Added to each commit");
  app.add_flag("--curve", options.curve, "With keys");
  app.add_option("--folder", options.folder, "On the disk to measure; default: the current one");
  app.add_option("--log", options.log, "Write the coordinator's log there; default: none is made");
  CLI11_PARSE(app, argc, argv);
  return lrtune::run(options);
}

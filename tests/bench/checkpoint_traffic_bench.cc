// What big checkpoints do to the coordinator: how long a slot stands free and whether a worker that
// lives is given up, while 40 workers move 100 MB each through a checkpoint service beside the
// coordinator, and while one of them is stopped in the middle of it. The coordinator's loop, its
// store, the service and the workers are those of the programs; only training is empty.
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
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
#include <thread>
#include <vector>

#include "common/config/experiment.h"
#include "common/random.h"
#include "common/state_name.h"
#include "coordinator/runtime.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/support/temporary_folder.h"
#include "worker/checkpoint_channel/checkpoint_client.h"
#include "worker/checkpoint_channel/service_loop.h"
#include "worker/runtime.h"

namespace lrtune {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int kMostWorkers = 256;
constexpr double kBytesOfMb = 1e6;
constexpr std::int64_t kRoomy = std::int64_t{1} << 40;
constexpr int kWorkersNice = 10;

struct Options {
  int workers = 40;
  std::int64_t trials = 5'000;
  int trial_ms = 500;
  int megabytes = 100;
  double every = 60;
  double stopped_s = 20;
  std::string folder = ".";
};

enum class Traffic { kNone, kCheckpoints, kOneStopped };

// What the processes tell each other, in memory that they share.
struct Board {
  std::atomic<bool> stop{false};  // moves end
  std::array<std::atomic<bool>, kMostWorkers>
      moving{};  // a checkpoint of this worker is on its way
  std::array<std::atomic<std::int64_t>, kMostWorkers> moved{};  // there and back
  std::array<std::atomic<std::int64_t>, kMostWorkers> failed{};
};

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

void wait_until(Clock::time_point end) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (never.wait_until(lock, end) != std::cv_status::timeout) {
  }
}

std::string worker_name(int number) { return fmt::format("w{}", number); }

std::shared_ptr<spdlog::logger> quiet_log() {
  auto log =
      std::make_shared<spdlog::logger>("bench", std::make_shared<spdlog::sinks::null_sink_mt>());
  log->set_level(spdlog::level::warn);
  return log;
}

std::string read_line(int pipe) {
  std::string line;
  for (char c = 0; read(pipe, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

// ---- a worker

// Takes time without a core; keeps how long its slot stood free between two jobs.
class WaitingTrainer final : public Trainer {
 public:
  WaitingTrainer(const Options& options, int worker)
      : mean_(1e-3 * options.trial_ms), worker_(static_cast<std::uint64_t>(worker)) {}

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
    const Digest from = initial_state(job.identity.hash(), job.seed);
    const double length = mean_ * (0.5 + random_unit("trial length", worker_, gaps_.size()));
    wait_until(Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(length)));
    Outcome outcome{.kind = OutcomeKind::kCompleted,
                    .iteration = job.plan.iterations,
                    .state = state_after(from, job.policy, 0, job.plan.iterations)};
    ended_ = Clock::now();
    return outcome;
  }
  const std::vector<double>& gaps() const { return gaps_; }

 private:
  double mean_;  // s
  std::uint64_t worker_;
  std::optional<Clock::time_point> ended_;
  std::vector<double> gaps_;
};

// Keeps a checkpoint, sends it to the service, takes it back from there, as often as is asked for.
class Mover {
 public:
  Mover(const Options& options, int worker, Board& board, const std::string& bytes,
        CheckpointFolder& folder, RemoteCheckpoints& remote)
      : options_(options),
        worker_(static_cast<std::size_t>(worker)),
        board_(board),
        bytes_(bytes),
        folder_(folder),
        remote_(remote),
        thread_([this] { run(); }) {}
  ~Mover() { thread_.join(); }

 private:
  void run() {
    // The workers begin one after the other, as they would.
    auto next = Clock::now() +
                std::chrono::duration_cast<Clock::duration>(
                    Seconds(options_.every * static_cast<double>(worker_) / options_.workers));
    for (std::int64_t round = 0; !board_.stop.load(); ++round) {
      // In slices, since the sign to stop wakes nobody.
      while (Clock::now() < next && !board_.stop.load())
        wait_until(std::min(next, Clock::now() + std::chrono::milliseconds(50)));
      if (board_.stop.load()) return;
      next = std::max(next, Clock::now()) +
             std::chrono::duration_cast<Clock::duration>(Seconds(options_.every));
      Checkpoint checkpoint{.state = sha256(fmt::format("{} {}", worker_, round)),
                            .iteration = round + 1};
      checkpoint.tensors = {
          {"weights", "float32", {static_cast<std::int64_t>(bytes_.size() / 4)}, bytes_}};
      const auto moved = move(checkpoint);
      (moved ? board_.moved : board_.failed)[worker_].fetch_add(1);
      if (!moved) std::cerr << fmt::format("worker {}: {}\n", worker_, moved.error().message);
    }
  }

  Result<void> move(const Checkpoint& checkpoint) {
    const Digest& state = checkpoint.state;
    auto hold = folder_.save(checkpoint);
    if (!hold) return tl::unexpected(hold.error());
    board_.moving[worker_].store(true);
    remote_.push(state, *std::move(hold));
    auto done = remote_.wait_until_pushed(state);
    board_.moving[worker_].store(false);
    if (done) {
      folder_.remove(state);
      done = remote_.fetch(state, board_.stop);
      if (!done && board_.stop.load()) done = {};
    }
    for (int use = 0; use < 2; ++use) remote_.remove(state);  // pushed and fetched
    folder_.remove(state);
    return done;
  }

  const Options& options_;
  const std::size_t worker_;
  Board& board_;
  const std::string& bytes_;
  CheckpointFolder& folder_;
  RemoteCheckpoints& remote_;
  std::thread thread_;
};

struct Places {
  const TemporaryFolder& folder;
  std::string gaps(int worker) const { return folder.file(fmt::format("gaps-{}", worker)); }
  std::string checkpoints(int worker) const {
    return folder.file(fmt::format("checkpoints-{}", worker));
  }
};

// Workers are on other machines, and take no core from the coordinator and the service there.
int work(const Options& options, const Places& places, Board& board, const std::string& bytes,
         int number, int pipe) {
  if (nice(kWorkersNice) < 0) return 4;
  const std::string coordinator = read_line(pipe);
  const std::string service = read_line(pipe);
  const auto folder = CheckpointFolder::open(places.checkpoints(number), kRoomy);
  if (!folder) return 2;
  std::unique_ptr<RemoteCheckpoints> remote;
  std::optional<Mover> mover;
  if (!service.empty()) {
    auto client = connect_checkpoint_client(**folder, {.endpoint = service});
    if (!client) return 3;
    remote = *std::move(client);
    mover.emplace(options, number, board, bytes, **folder, *remote);
  }
  WorkerRuntimeOptions with;
  with.endpoint = coordinator;
  with.core.name = worker_name(number);
  with.core.slots = 1;
  WaitingTrainer trainer(options, number);
  const auto end = run_worker(with, trainer, quiet_log());
  mover.reset();
  std::ofstream file(places.gaps(number), std::ios::binary);
  file.write(reinterpret_cast<const char*>(trainer.gaps().data()),
             static_cast<std::streamsize>(trainer.gaps().size() * sizeof(double)));
  return file && end && end->code == 0 ? 0 : 1;
}

std::vector<double> read_gaps(const std::string& path) {
  std::vector<double> gaps;
  std::ifstream file(path, std::ios::binary);
  for (double gap = 0; file.read(reinterpret_cast<char*>(&gap), sizeof gap);) gaps.push_back(gap);
  return gaps;
}

struct Process {
  pid_t pid = -1;
  int pipe = -1;  // to write to; of the service: to read from

  void say(const std::string& line) const {
    if (write(pipe, line.data(), line.size()) < 0) std::abort();
  }
};

std::vector<Process> fork_workers(const Options& options, const Places& places, Board& board,
                                  const std::string& bytes) {
  std::vector<Process> workers;
  for (int number = 0; number < options.workers; ++number) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child == 0) _exit(work(options, places, board, bytes, number, ends[0]));
    close(ends[0]);
    workers.push_back({child, ends[1]});
  }
  return workers;
}

// ---- the checkpoint service, a process of its own

Process fork_service(const Places& places) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    const auto folder = CheckpointFolder::open(places.folder.file("service"), kRoomy);
    if (!folder) _exit(2);
    auto server = CheckpointServer::listen("tcp://127.0.0.1:*", **folder, [](const auto&) {});
    if (!server) _exit(3);
    const std::string line = server->endpoint() + "\n";
    if (write(ends[1], line.data(), line.size()) < 0) _exit(4);
    server->run(eventfd(0, EFD_CLOEXEC));  // until it is killed
    _exit(0);
  }
  close(ends[1]);
  return {child, ends[0]};
}

// ---- the coordinator

class Seen final : public RuntimeObserver {
 public:
  void stepped(const StepFacts& facts) override {
    for (const StepFacts::Departed& departed : facts.departed) {
      if (!departed.in_order) lost.push_back(departed.worker);
    }
  }
  void dispatched(std::int64_t assignments, Seconds since) override {
    dispatches.insert(dispatches.end(), static_cast<std::size_t>(assignments), since.count());
  }
  void committed(std::span<const Record> records, Seconds commit) override {
    commits.push_back(commit.count());
    for (const Record& record : records) {
      const auto* job = std::get_if<JobRecord>(&record);
      if (job != nullptr && job->state == JobState::kDone) ++done;
    }
  }
  std::vector<std::string> lost;   // names of workers that were given up
  std::vector<double> dispatches;  // s from the event that caused an assignment until it left
  std::int64_t done = 0;
  std::vector<double> commits;  // s
};

// Stops a worker while its checkpoint travels, wakes it up again, and ends when all is done.
class Director final : public RuntimeWatcher {
 public:
  // Without `to_stop` none is stopped, else one of these.
  Director(Runtime& runtime, const Options& options, Board& board, const Seen& seen,
           std::vector<Process> to_stop)
      : runtime_(runtime),
        options_(options),
        board_(board),
        seen_(seen),
        to_stop_(std::move(to_stop)) {}
  std::vector<int> descriptors() override { return {}; }
  void readable(int, const Now&) override {}
  bool watch(const Snapshot& snapshot, const Now& now) override {
    direct(now.steady);
    for (const CampaignView& campaign : snapshot.campaigns) {
      if (campaign.state < CampaignState::kDone || over_at_) continue;
      failure = campaign.failure;
      board_.stop.store(true);
      wake();
      over_at_ = now.steady;
    }
    // One that was stopped has come back by then, and is told to leave like the others.
    const double after = stopped_ ? 3 : 0;
    if (over_at_ && Seconds(now.steady - *over_at_).count() >= after &&
        !std::exchange(leaving_, true))
      runtime_.post(event::StopRequested{"the benchmark is over"});
    return !snapshot.stopped;
  }
  std::optional<int> stopped() const { return stopped_; }
  std::string failure;

 private:
  void direct(Clock::time_point now) {
    const bool begins = !stopped_ && !to_stop_.empty() && seen_.done > options_.trials / 4;
    for (std::size_t worker = 0; begins && !stopped_ && worker < to_stop_.size(); ++worker) {
      if (!board_.moving[worker].load()) continue;
      kill(to_stop_[worker].pid, SIGSTOP);
      stopped_ = static_cast<int>(worker);
      stopped_at_ = now;
      to_wake_ = true;
    }
    if (to_wake_ && Seconds(now - stopped_at_).count() > options_.stopped_s) wake();
  }
  void wake() {
    if (std::exchange(to_wake_, false))
      kill(to_stop_[static_cast<std::size_t>(*stopped_)].pid, SIGCONT);
  }

  Runtime& runtime_;
  const Options& options_;
  Board& board_;
  const Seen& seen_;
  const std::vector<Process> to_stop_;
  std::optional<int> stopped_;  // the worker
  Clock::time_point stopped_at_;
  bool to_wake_ = false;
  std::optional<Clock::time_point> over_at_;
  bool leaving_ = false;
};

Experiment experiment_of(const Options& options) {
  const std::string yaml = fmt::format(
      "name: empty\ntrain:\n  dataset: {{name: mnist}}\n  model: lenet\n"
      "  optimizer: {{name: sgd}}\n  batch: 100\n"
      "run: {{iterations: 1, evaluate: {{every: 1}}}}\nseed: 7\n"
      "search:\n  method: random\n  count: {}\n  policies:\n"
      "    - {{function: fix, k0: {{log: [0.0001, 0.1]}}}}\n",
      options.trials);
  return experiment_from_yaml(yaml, "empty.yaml").value();
}

std::string_view words(Traffic traffic) {
  switch (traffic) {
    case Traffic::kNone:
      return "none";
    case Traffic::kCheckpoints:
      return "checkpoints";
    case Traffic::kOneStopped:
      return "and one stopped";
  }
  return "";
}

std::int64_t sum(const std::array<std::atomic<std::int64_t>, kMostWorkers>& counts) {
  std::int64_t sum = 0;
  for (const auto& count : counts) sum += count.load();
  return sum;
}

// A row, or why there is none.
std::string measure(const Options& options, Traffic traffic) {
  void* shared =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return "no shared memory";
  Board& board = *new (shared) Board;
  const TemporaryFolder folder(options.folder);
  const Places places{folder};
  std::string service_endpoint;
  Process service;
  if (traffic != Traffic::kNone) {
    service = fork_service(places);
    service_endpoint = read_line(service.pipe);
    if (service_endpoint.empty()) return "the checkpoint service does not start";
  }
  std::string bytes(static_cast<std::size_t>(options.megabytes * kBytesOfMb), '\0');
  std::uint32_t noise = 1;
  for (char& byte : bytes) byte = static_cast<char>((noise = noise * 1664525U + 1013904223U) >> 24);
  const std::vector<Process> workers = fork_workers(options, places, board, bytes);
  auto store = SqliteStore::open(folder.file("bench.db"));
  if (!store) return store.error().message;
  Seen seen;
  RuntimeOptions with;
  with.observer = &seen;
  Runtime runtime(wire::RouterSocket::bind("tcp://127.0.0.1:*").value(), **store, with,
                  quiet_log());
  for (const Process& worker : workers)
    worker.say(runtime.endpoint() + "\n" + service_endpoint + "\n");
  const bool stops = traffic == Traffic::kOneStopped;
  Director director(runtime, options, board, seen, stops ? workers : std::vector<Process>{});
  runtime.post(event::Submitted{experiment_of(options)});
  const auto began = Clock::now();
  if (const auto ran = runtime.run(director); !ran) director.failure = ran.error().message;
  const double seconds = Seconds(Clock::now() - began).count();

  std::vector<double> gaps;
  std::string failure = director.failure;
  for (int number = 0; number < options.workers; ++number) {
    int status = 0;
    if (waitpid(workers[static_cast<std::size_t>(number)].pid, &status, 0) < 0 || status != 0)
      failure = fmt::format("worker {} failed", number);
    if (director.stopped() == number) continue;
    const std::vector<double> more = read_gaps(places.gaps(number));
    gaps.insert(gaps.end(), more.begin(), more.end());
  }
  if (service.pid > 0) {
    kill(service.pid, SIGKILL);
    waitpid(service.pid, nullptr, 0);
  }
  const std::int64_t failed = sum(board.failed);
  const std::string stopped = director.stopped() ? worker_name(*director.stopped()) : "";
  const auto stopped_lost = std::count(seen.lost.begin(), seen.lost.end(), stopped);
  const auto others_lost = std::ssize(seen.lost) - stopped_lost;
  fmt::print("| {} | {} | {:.0f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {} | {} |\n",
             words(traffic), sum(board.moved), seconds, 1e3 * percentile(seen.dispatches, 0.5),
             1e3 * percentile(seen.dispatches, 0.99), 1e3 * percentile(gaps, 0.5),
             1e3 * percentile(gaps, 0.99), 1e3 * percentile(seen.commits, 0.99), others_lost,
             stops ? fmt::format("{}", stopped_lost) : "");
  std::fflush(stdout);
  if (!failure.empty()) return failure;
  if (failed > 0) return fmt::format("{} checkpoints did not arrive", failed);
  if (others_lost > 0) return "a worker that lives was given up";
  if (stops && !director.stopped()) return "no worker was stopped; ask for more trials";
  return {};
}

int run(const Options& options) {
  fmt::print(
      "{} workers, {} trials of {} ms on average; {} MB each {:g} s; one stopped for {:g} s\n\n"
      "| traffic | checkpoints there and back | s | dispatch, ms: median | p99 | free slot to next "
      "job, ms: median | p99 | commit, ms: p99 | live workers given up | the stopped one |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
      options.workers, options.trials, options.trial_ms, options.megabytes, options.every,
      options.stopped_s);
  std::fflush(stdout);
  for (const Traffic traffic : {Traffic::kNone, Traffic::kCheckpoints, Traffic::kOneStopped}) {
    // Each in a process of its own, since workers are forked before there are threads.
    const pid_t child = fork();
    if (child == 0) {
      const std::string failure = measure(options, traffic);
      if (!failure.empty())
        std::cerr << fmt::format("checkpoint_traffic_bench: {}: {}\n", words(traffic), failure);
      _exit(failure.empty() ? 0 : 1);
    }
    int status = 0;
    if (waitpid(child, &status, 0) < 0 || status != 0) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace lrtune

int main(int argc, char** argv) {
  lrtune::Options options;
  CLI::App app("Dispatch and leases while workers move big checkpoints and one is stopped");
  app.add_option("--workers", options.workers)->check(CLI::Range(2, lrtune::kMostWorkers));
  app.add_option("--trials", options.trials)->check(CLI::Range(100, 10'000'000));
  app.add_option("--trial-ms", options.trial_ms, "Mean length of a trial")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--megabytes", options.megabytes, "Of a checkpoint")->check(CLI::Range(1, 2'000));
  app.add_option("--every", options.every,
                 "Seconds between two checkpoints of a worker; 0: one after the other")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--stopped-s", options.stopped_s, "How long one worker is stopped")
      ->check(CLI::Range(0.1, 1e6));
  app.add_option("--folder", options.folder, "On the disk to measure; default: the current one");
  CLI11_PARSE(app, argc, argv);
  return lrtune::run(options);
}

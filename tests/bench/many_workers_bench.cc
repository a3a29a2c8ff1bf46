// Ten thousand workers: how long a slot stands free, how much memory that takes, and whether a
// worker that lives is ever given up. In one process through the real core and store, or with as
// many real sockets as the limit on open files allows.
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <zmq.hpp>

#include "common/config/experiment.h"
#include "common/wire/codec.h"
#include "coordinator/runtime.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/bench/simulated_workers.h"
#include "tests/support/temporary_folder.h"

namespace lrtune::bench {
namespace {

using Seconds = std::chrono::duration<double>;

struct Options {
  int workers = 10'000;
  std::int64_t trials = 40'000;
  int trial_ms = 10'000;
  bool sockets = false;
  int processes = 2;  // that the sockets of workers are in
  std::string folder = ".";
};

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

double peak_mib() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_maxrss) / 1024;
}

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

void wait_until(Clock::time_point time) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (never.wait_until(lock, time) != std::cv_status::timeout) {
  }
}

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

struct Figures {
  std::vector<double> waits;  // s
  std::int64_t lost = 0;      // workers that were given up, or rejected
  double seconds = 0;
  double cpu = 0;  // of the coordinator (in process: of the workers too)
  double slowest_turn = 0;
  std::string failure;
};

// What is seen of the coordinator, in either way to run it.
class Seen final : public RuntimeObserver {
 public:
  void stepped(const StepFacts& facts) override {
    for (const StepFacts::Departed& departed : facts.departed) {
      if (!departed.in_order) ++lost;
    }
  }
  void turned(Seconds turn) override { slowest_turn = std::max(slowest_turn, turn.count()); }
  std::int64_t lost = 0;
  double slowest_turn = 0;
};

// ---- in one process

Now clocks() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {Clock::now(), std::chrono::duration_cast<std::chrono::milliseconds>(wall).count()};
}

class InProcess {
 public:
  explicit InProcess(const Options& options)
      : folder_(options.folder),
        store_(SqliteStore::open(folder_.file("bench.db")).value()),
        core_({.incarnation = "bench"}, store_->load().value(), clocks()),
        workers_({.count = options.workers, .trial = std::chrono::milliseconds(options.trial_ms)},
                 Clock::now()) {}

  Figures run(const Options& options) {
    Figures result;
    const auto began = Clock::now();
    turn([&](Actions& actions) {
      core_.step(event::Submitted{experiment_of(options)}, clocks(), actions);
    });
    while (result.failure.empty() && !workers_.all_left()) {
      turn([&](Actions& actions) { take_messages(actions); });
      result.failure = failure_;
    }
    result.waits = workers_.waits();
    result.lost = seen_.lost + workers_.rejected();
    result.slowest_turn = seen_.slowest_turn;
    result.seconds = Seconds(Clock::now() - began).count();
    result.cpu = cpu_seconds();
    return result;
  }

 private:
  template <typename Take>
  void turn(Take take) {
    const auto began = Clock::now();
    Actions actions;
    take(actions);
    const Now now = clocks();
    if (const auto deadline = core_.next_deadline(); deadline && *deadline <= now.steady)
      core_.step(event::Ticked{}, now, actions);
    if (const auto done = store_->commit(actions.records); !done) failure_ = done.error().message;
    for (const Send& send : actions.sends)
      workers_.hear(std::stoi(send.peer), send.message, Clock::now());
    seen_.stepped(actions.facts);
    seen_.turned(Clock::now() - began);
    stop_when_done(actions.records);
    const auto due = std::min(workers_.next_due(), core_.next_deadline().value_or(due_at_most()));
    if (due > Clock::now()) wait_until(std::min(due, due_at_most()));
  }
  static Clock::time_point due_at_most() { return Clock::now() + std::chrono::milliseconds(200); }

  void take_messages(Actions& actions) {
    if (std::exchange(stop_, false))
      core_.step(event::StopRequested{"the benchmark is over"}, clocks(), actions);
    constexpr int kMessagesATurn = 256;
    const Now now = clocks();
    workers_.say_due(now.steady, kMessagesATurn, [&](int worker, wire::ToCoordinator message) {
      core_.step(event::Received{std::to_string(worker), std::move(message)}, now, actions);
    });
  }
  void stop_when_done(const std::vector<Record>& records) {
    for (const Record& record : records) {
      const auto* campaign = std::get_if<CampaignRecord>(&record);
      if (campaign == nullptr || campaign->state < CampaignState::kDone) continue;
      stop_ = !std::exchange(stopped_, true);
      if (campaign->state != CampaignState::kDone) failure_ = campaign->failure;
    }
  }

  TemporaryFolder folder_;
  std::unique_ptr<SqliteStore> store_;
  Core core_;
  SimulatedWorkers workers_;
  Seen seen_;
  bool stop_ = false;
  bool stopped_ = false;
  std::string failure_;
};

// ---- with sockets

// Each worker has a DEALER with the project's options, all of a process one context.
class SocketWorkers {
 public:
  SocketWorkers(const SimulatedWorkers::Options& options, const std::string& endpoint)
      : workers_(options, Clock::now()), poll_(epoll_create1(EPOLL_CLOEXEC)) {
    context_.set(zmq::ctxopt::max_sockets, options.count + 10);
    for (int worker = 0; worker < options.count; ++worker) {
      zmq::socket_t& socket = sockets_.emplace_back(context_, zmq::socket_type::dealer);
      socket.set(zmq::sockopt::routing_id, fmt::format("worker-{:06}", options.first + worker));
      socket.set(zmq::sockopt::linger, 1000);
      socket.connect(endpoint);
      epoll_event event{};
      event.events = EPOLLIN | EPOLLET;
      event.data.u32 = static_cast<std::uint32_t>(worker);
      epoll_ctl(poll_, EPOLL_CTL_ADD, socket.get(zmq::sockopt::fd), &event);
    }
  }
  ~SocketWorkers() { close(poll_); }
  SocketWorkers(const SocketWorkers&) = delete;
  SocketWorkers& operator=(const SocketWorkers&) = delete;

  void run() {
    std::vector<epoll_event> events(1024);
    while (!workers_.all_left()) {
      const auto until = workers_.next_due() - Clock::now();
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until).count();
      const int count = epoll_wait(poll_, events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(std::clamp<std::int64_t>(wait, 0, 100)));
      for (int i = 0; i < count; ++i)
        read_all(static_cast<int>(events[static_cast<std::size_t>(i)].data.u32));
      workers_.say_due(Clock::now(), 1000, [&](int worker, wire::ToCoordinator message) {
        const auto frames = wire::encode(std::vector{std::move(message)}).value();
        for (const wire::Frame& frame : frames)
          socket(worker).send(zmq::buffer(frame), zmq::send_flags::none);
        read_all(worker);  // sending may have taken the sign that something is there
      });
    }
  }
  const SimulatedWorkers& workers() const { return workers_; }

 private:
  zmq::socket_t& socket(int worker) { return sockets_[static_cast<std::size_t>(worker)]; }

  void read_all(int worker) {
    zmq::message_t part;
    while (socket(worker).recv(part, zmq::recv_flags::dontwait)) {
      const auto* data = part.data<std::uint8_t>();
      const auto messages = wire::decode_from_coordinator(wire::Frame(data, data + part.size()));
      if (!messages) continue;
      for (const wire::FromCoordinator& message : *messages)
        workers_.hear(worker, message, Clock::now());
    }
  }

  SimulatedWorkers workers_;
  int poll_;
  zmq::context_t context_;
  std::vector<zmq::socket_t> sockets_;
};

struct WorkerProcess {
  pid_t pid = -1;
  int endpoint_pipe = -1;
};

std::string waits_file(const TemporaryFolder& folder, int process) {
  return folder.file(fmt::format("waits-{}", process));
}

// A worker process's exit code.
int work(const Options& options, const TemporaryFolder& folder, int process, int endpoint_pipe) {
  std::string endpoint;
  for (char c = 0; read(endpoint_pipe, &c, 1) == 1 && c != '\n';) endpoint += c;
  const int first = options.workers * process / options.processes;
  SocketWorkers workers({.first = first,
                         .count = options.workers * (process + 1) / options.processes - first,
                         .trial = std::chrono::milliseconds(options.trial_ms)},
                        endpoint);
  workers.run();
  const std::vector<double>& waits = workers.workers().waits();
  std::ofstream file(waits_file(folder, process), std::ios::binary);
  file.write(reinterpret_cast<const char*>(waits.data()),
             static_cast<std::streamsize>(waits.size() * sizeof(double)));
  return file && workers.workers().rejected() == 0 ? 0 : 1;
}

class UntilDone final : public RuntimeWatcher {
 public:
  explicit UntilDone(Runtime& runtime) : runtime_(runtime) {}
  std::vector<int> descriptors() override { return {}; }
  void readable(int, const Now&) override {}
  bool watch(const Snapshot& snapshot, const Now&) override {
    for (const CampaignView& campaign : snapshot.campaigns) {
      if (campaign.state < CampaignState::kDone || std::exchange(over_, true)) continue;
      failure = campaign.failure;
      runtime_.post(event::StopRequested{"the benchmark is over"});
    }
    return !snapshot.stopped;
  }
  std::string failure;

 private:
  Runtime& runtime_;
  bool over_ = false;
};

Figures with_sockets(const Options& options) {
  Figures result;
  const TemporaryFolder folder(options.folder);
  std::vector<WorkerProcess> processes;
  for (int number = 0; number < options.processes; ++number) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child == 0) _exit(work(options, folder, number, ends[0]));
    close(ends[0]);
    processes.push_back({child, ends[1]});
  }
  auto store = SqliteStore::open(folder.file("bench.db")).value();
  Seen seen;
  RuntimeOptions with;
  with.observer = &seen;
  auto log =
      std::make_shared<spdlog::logger>("bench", std::make_shared<spdlog::sinks::null_sink_mt>());
  log->set_level(spdlog::level::warn);
  Runtime runtime(wire::RouterSocket::bind("tcp://127.0.0.1:*").value(), *store, with, log);
  const std::string line = runtime.endpoint() + "\n";
  for (const WorkerProcess& process : processes) {
    if (write(process.endpoint_pipe, line.data(), line.size()) < 0) std::abort();
  }
  const auto began = Clock::now();
  UntilDone watcher(runtime);
  runtime.post(event::Submitted{experiment_of(options)});
  if (const auto ran = runtime.run(watcher); !ran) watcher.failure = ran.error().message;
  result.failure = watcher.failure;
  result.seconds = Seconds(Clock::now() - began).count();
  result.cpu = cpu_seconds();
  for (int number = 0; number < options.processes; ++number) {
    int status = 0;
    if (waitpid(processes[static_cast<std::size_t>(number)].pid, &status, 0) < 0 || status != 0)
      result.failure = "a process of workers failed";
    std::ifstream file(waits_file(folder, number), std::ios::binary);
    for (double wait = 0; file.read(reinterpret_cast<char*>(&wait), sizeof wait);)
      result.waits.push_back(wait);
  }
  result.lost = seen.lost;
  result.slowest_turn = seen.slowest_turn;
  return result;
}

// A connection is one open file here and two in the process of its worker. The error says what the
// limit has to be.
std::string raise_file_limit(const Options& options) {
  constexpr rlim_t kOthers = 200;
  const auto workers = static_cast<rlim_t>(options.workers);
  const auto processes = static_cast<rlim_t>(options.processes);
  const rlim_t needed = std::max(workers, 2 * (workers + processes) / processes) + kOthers;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(needed, limit.rlim_max));
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return {};
  return fmt::format(
      "{} sockets need {} open files, the limit is {} (ulimit -Hn); use fewer "
      "--workers or more --processes",
      options.workers, needed, limit.rlim_cur);
}

int run(const Options& options) {
  if (options.sockets) {
    if (const std::string error = raise_file_limit(options); !error.empty()) {
      std::cerr << "many_workers_bench: " << error << '\n';
      return 2;
    }
  }
  Figures result = options.sockets ? with_sockets(options) : InProcess(options).run(options);
  const auto trials = static_cast<double>(options.trials);
  fmt::print("workers                   {} {}\n", options.workers,
             options.sockets ? "with a socket each" : "in process");
  fmt::print("trials                    {} in {:.1f} s\n", options.trials, result.seconds);
  fmt::print("free slot to next job, ms {:.1f} median, {:.1f} p99, {:.1f} longest, of {}\n",
             1e3 * percentile(result.waits, 0.5), 1e3 * percentile(result.waits, 0.99),
             1e3 * percentile(result.waits, 1), result.waits.size());
  fmt::print("longest turn, ms          {:.1f}\n", 1e3 * result.slowest_turn);
  fmt::print("CPU, us a trial           {:.0f}\n", 1e6 * result.cpu / trials);
  fmt::print("peak memory, MiB          {:.0f}\n", peak_mib());
  fmt::print("workers given up          {}\n", result.lost);
  if (result.failure.empty() && result.lost == 0) return 0;
  std::cerr << "many_workers_bench: "
            << (result.failure.empty() ? "a worker that lives was given up" : result.failure)
            << '\n';
  return 1;
}

}  // namespace
}  // namespace lrtune::bench

int main(int argc, char** argv) {
  lrtune::bench::Options options;
  CLI::App app("Dispatch to ten thousand workers");
  app.add_option("--workers", options.workers)->check(CLI::Range(1, 100'000));
  app.add_option("--trials", options.trials)->check(CLI::Range(1, 10'000'000));
  app.add_option("--trial-ms", options.trial_ms, "Mean length of a trial")
      ->check(CLI::Range(1, 1'000'000));
  app.add_flag("--sockets", options.sockets, "A ZeroMQ socket for each worker");
  app.add_option("--processes", options.processes, "That the workers' sockets are in")
      ->check(CLI::Range(1, 64));
  app.add_option("--folder", options.folder, "On the disk to measure; default: the current one");
  CLI11_PARSE(app, argc, argv);
  return lrtune::bench::run(options);
}

// Rows a second that the store makes durable, by rows in a commit, and what one sync of the disk
// costs beside it. LRTUNE_BENCH_FOLDER chooses the disk; the current folder otherwise.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/core/core.h"
#include "coordinator/store/policy_queries.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/support/record_model.h"
#include "tests/support/temporary_folder.h"

namespace lrtune {
namespace {

std::filesystem::path disk() {
  const char* folder = std::getenv("LRTUNE_BENCH_FOLDER");
  return folder == nullptr ? std::filesystem::current_path() : std::filesystem::path(folder);
}

JobRecord job_number(std::int64_t number) {
  JobRecord job;
  job.id.value = number;
  job.key = sha256(std::to_string(number));
  job.state = JobState::kAssigned;
  job.attempt = 1;
  job.worker = "local/0";
  return job;
}

// Jobs that are assigned, state.range(0) in a commit: the coordinator's smallest turn.
void commit_jobs(benchmark::State& state) {
  const TemporaryFolder folder(disk());
  const auto store = SqliteStore::open(folder.file("bench.db")).value();
  std::int64_t number = 0;
  std::vector<Record> records(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    for (Record& record : records) record = job_number(++number);
    if (!store->commit(records)) state.SkipWithError("commit failed");
  }
  state.SetItemsProcessed(number);
}
BENCHMARK(commit_jobs)
    ->RangeMultiplier(10)
    ->Range(1, 10000)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// All that the trials of an empty experiment write in their life: trial and job made, assigned, two
// points, done and two decisions; state.range(0) trials in a commit.
class Trials {
 public:
  explicit Trials(SqliteStore& store) {
    const std::vector<Record> sample = sample_records();
    if (!store.commit(sample)) std::abort();
    for (const Record& record : sample) {
      if (const auto* trial = std::get_if<TrialRecord>(&record)) trial_ = *trial;
      if (const auto* job = std::get_if<JobRecord>(&record)) job_ = *job;
      if (const auto* point = std::get_if<PointRecord>(&record)) point_ = *point;
    }
  }

  void add_life(std::vector<Record>& records) {
    ++trial_.id.value;
    ++trial_.number;
    trial_.job = job_.id = {trial_.id.value};
    trial_.policy.segments[0].function.k0 = 1e-7 * static_cast<double>(trial_.id.value);
    job_.key = job_.to_state = sha256(std::to_string(trial_.id.value));
    write(records, TrialState::kWaiting, JobState::kPending);
    write(records, TrialState::kRunning, JobState::kAssigned);
    records.emplace_back(
        DecisionRecord{trial_.campaign, trial_.id, 1, "assigned", {{"job", 1}, {"attempt", 1}}});
    add_point(records, 0, job_.from_state);
    add_point(records, 100, job_.to_state);
    write(records, TrialState::kDone, JobState::kDone);
    records.emplace_back(
        DecisionRecord{trial_.campaign, trial_.id, 2, "completed", {{"iteration", 100}}});
  }

 private:
  void write(std::vector<Record>& records, TrialState trial, JobState job) {
    trial_.state = trial;
    job_.state = job;
    records.emplace_back(trial_);
    records.emplace_back(job_);
  }
  void add_point(std::vector<Record>& records, std::int64_t iteration, const Digest& state) {
    point_.job = job_.id;
    point_.point.iteration = iteration;
    point_.point.state = state;
    // Any accuracy: the best trials stand anywhere.
    point_.point.evaluated.top1 = static_cast<double>(job_.key.bytes[0]) / 256 +
                                  static_cast<double>(job_.key.bytes[1]) / 65536;
    records.emplace_back(point_);
  }

  TrialRecord trial_;
  JobRecord job_;
  PointRecord point_;
};

void commit_trials(benchmark::State& state) {
  const TemporaryFolder folder(disk());
  const auto store = SqliteStore::open(folder.file("bench.db")).value();
  Trials trials(*store);
  std::int64_t rows = 0;
  std::int64_t lives = 0;
  for (auto _ : state) {
    std::vector<Record> records;
    for (std::int64_t i = 0; i < state.range(0); ++i) trials.add_life(records);
    if (!store->commit(records)) state.SkipWithError("commit failed");
    rows += static_cast<std::int64_t>(records.size());
    lives += state.range(0);
  }
  state.SetItemsProcessed(lives);
  state.counters["records"] =
      benchmark::Counter(static_cast<double>(rows), benchmark::Counter::kIsRate);
}
BENCHMARK(commit_trials)
    ->RangeMultiplier(10)
    ->Range(1, 1000)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

std::unique_ptr<SqliteStore> store_of(benchmark::State& state, const std::string& path) {
  auto store = SqliteStore::open(path).value();
  Trials trials(*store);
  for (std::int64_t done = 0; done < state.range(0); done += 1000) {
    std::vector<Record> records;
    for (int i = 0; i < 1000; ++i) trials.add_life(records);
    if (!store->commit(records)) state.SkipWithError("commit failed");
  }
  return store;
}

double resident_mib() {
  std::ifstream status("/proc/self/statm");
  std::int64_t pages = 0;
  status >> pages >> pages;
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1024 * 1024);
}

// A restart with state.range(0) ended trials: the store is opened and read, the core made of it.
void restart(benchmark::State& state) {
  const TemporaryFolder folder(disk());
  const std::string path = folder.file("bench.db");
  store_of(state, path).reset();
  for (auto _ : state) {
    const auto store = SqliteStore::open(path).value();
    auto stored = store->load();
    if (!stored) return state.SkipWithError("the store cannot be read");
    const Core core({}, *std::move(stored), {});
    benchmark::DoNotOptimize(core.next_deadline());
    state.counters["MiB"] = resident_mib();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(restart)
    ->RangeMultiplier(10)
    ->Range(10'000, 1'000'000)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// What `lrtune policies top` does before it prints.
void policies_top(benchmark::State& state) {
  const TemporaryFolder folder(disk());
  const std::string path = folder.file("bench.db");
  store_of(state, path).reset();
  for (auto _ : state) {
    const auto entries =
        PolicyQueries::open(path).value().best({}, RankBy::kTop1, RankAt::kBest, 10);
    if (!entries) return state.SkipWithError("the store cannot be read");
    benchmark::DoNotOptimize(entries->size());
    state.counters["MiB"] = resident_mib();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(policies_top)
    ->RangeMultiplier(10)
    ->Range(10'000, 1'000'000)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// One page written and synced: the floor under a commit on this disk.
void sync_a_page(benchmark::State& state) {
  const TemporaryFolder folder(disk());
  const int file = open(folder.file("page").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string page(4096, 'x');
  off_t at = 0;
  for (auto _ : state) {
    if (pwrite(file, page.data(), page.size(), at) < 0 || fdatasync(file) != 0)
      state.SkipWithError("sync failed");
    at += static_cast<off_t>(page.size());
  }
  close(file);
}
BENCHMARK(sync_a_page)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace lrtune

BENCHMARK_MAIN();

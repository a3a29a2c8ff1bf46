#include "coordinator/operations/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

namespace lrtune {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kStoreBytes = "Size of the store's files";

auto& gauge(prometheus::Registry& registry, const char* name, const char* help,
            const prometheus::Labels& labels = {}) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

// A WAL that is not there is empty: the last connection took it away.
double file_bytes(const std::string& path, double missing) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (!error) return static_cast<double>(size);
  return error == std::errc::no_such_file_or_directory ? missing : kUnknown;
}

double free_bytes(const std::string& store) {
  std::error_code error;
  const auto folder = std::filesystem::absolute(store, error).parent_path();
  const auto space = std::filesystem::space(folder, error);
  return error ? kUnknown : static_cast<double>(space.available);
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double all = 0;
  double resident = kUnknown;
  statm >> all >> resident;
  return statm ? resident * static_cast<double>(sysconf(_SC_PAGESIZE)) : kUnknown;
}

double open_files() {
  std::error_code error;
  std::filesystem::directory_iterator entries("/proc/self/fd", error);
  if (error) return kUnknown;
  double count = -1;  // the listing's own
  for (const auto end = std::filesystem::directory_iterator(); !error && entries != end;
       entries.increment(error)) {
    ++count;
  }
  return error ? kUnknown : count;
}

double most_open_files() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : kUnknown;
}

double cpu_seconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

// The names that begin with process_ are those of Prometheus' own client libraries.
ProcessMetrics::ProcessMetrics(prometheus::Registry& registry, std::string store)
    : store_(std::move(store)),
      store_bytes_(gauge(registry, "lrtune_store_bytes", kStoreBytes, {{"file", "database"}})),
      wal_bytes_(gauge(registry, "lrtune_store_bytes", kStoreBytes, {{"file", "wal"}})),
      free_bytes_(gauge(registry, "lrtune_store_free_bytes",
                        "What is free for this user on the store's file system")),
      resident_bytes_(gauge(registry, "process_resident_memory_bytes", "Resident memory")),
      open_files_(gauge(registry, "process_open_fds", "Open file descriptors")),
      most_open_files_(
          gauge(registry, "process_max_fds", "Most file descriptors that may be open")),
      cpu_seconds_(prometheus::BuildCounter()
                       .Name("process_cpu_seconds_total")
                       .Help("User and system time of all threads")
                       .Register(registry)
                       .Add({})) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  gauge(registry, "process_start_time_seconds", "When it started, in seconds since 1970")
      .Set(now.count());
}

void ProcessMetrics::refresh() {
  store_bytes_.Set(file_bytes(store_, kUnknown));
  wal_bytes_.Set(file_bytes(store_ + "-wal", 0));
  free_bytes_.Set(free_bytes(store_));
  resident_bytes_.Set(resident_bytes());
  open_files_.Set(open_files());
  most_open_files_.Set(most_open_files());
  cpu_seconds_.Increment(cpu_seconds() - cpu_seconds_.Value());
}

}  // namespace lrtune

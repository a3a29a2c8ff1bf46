// The worker processes of `lrtune run`: started beside the coordinator, restarted with back-off
// when they die.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/cli/child_process.h"
#include "coordinator/core/core.h"

namespace lrtune {

struct LocalWorkerOptions {
  std::filesystem::path program;
  std::string endpoint;                // of the coordinator
  std::string device;                  // "cpu", "cuda"
  int threads = 1;                     // per slot
  std::string place;                   // "USER@HOST": who trains where, in the worker's name
  std::filesystem::path logs;          // folder of worker-N.log; it exists
  std::vector<std::string> arguments;  // more, as given
  int early_deaths = 3;  // in a row, before the worker has joined: then it is given up
  // In a row without progress: then it is given up too. More than the attempts after which the core
  // sets a job or a survey aside, so that its reason is the one that people read.
  int deaths = 10;
  std::chrono::seconds lasting{60};            // a process that lived so long has made progress
  std::chrono::milliseconds first_delay{500};  // before a restart; doubles up to last_delay
  std::chrono::milliseconds last_delay{30000};
};

// What the coordinator has seen of a worker's process.
struct WorkerStanding {
  bool joined = false;    // it said HELLO
  bool finished = false;  // it brought a job to an end
};

struct LocalWorkerEnd {
  std::string worker;  // its name, "USER@HOST/worker-2", or without a place "worker-2"
  std::string reason;  // "worker-2 was killed by signal 9 (Killed)"
  std::string log;     // where its log is, with the last line
  std::optional<std::string>
      given_up;  // it will not be started again: why, with the last lines of its log
};

// One thread. Workers that run are killed when this is destroyed.
class LocalWorkers {
 public:
  explicit LocalWorkers(LocalWorkerOptions options) : options_(std::move(options)) {}

  // Starts worker-1 ... worker-`count`. Errors: the program cannot be run.
  Result<void> start(int count);

  std::vector<int> descriptors() const;  // readable when a worker has ended

  // The worker of `descriptor`, if it has ended. `standing` is asked by its name.
  std::optional<LocalWorkerEnd> ended(
      int descriptor, SteadyTime now,
      const std::function<WorkerStanding(const std::string&)>& standing);

  // Starts again whose time has come, and notes who runs since when. Nothing after stop().
  Result<void> restart_due(SteadyTime now);

  // No more restarts; what has not left by itself until kill() is killed there.
  void stop() { stopping_ = true; }
  void kill();
  // SIGTERM, for one that has not joined; once for each process, as a second one kills it.
  void terminate(const std::string& worker);
  int running() const;
  std::vector<std::string> running_names() const;

 private:
  struct Worker {
    std::string name;
    std::string short_name;  // "worker-2"
    std::optional<ChildProcess> process;
    std::optional<SteadyTime> restart_at;
    std::optional<SteadyTime> since;  // when the process was first seen to run
    bool terminated = false;
    int early_deaths = 0;
    int deaths = 0;  // in a row without progress
  };
  Result<void> launch(Worker& worker);
  std::optional<std::string> hopeless(const Worker& worker, const std::string& end) const;
  std::filesystem::path log_of(const Worker& worker) const;

  LocalWorkerOptions options_;
  std::vector<Worker> workers_;
  bool stopping_ = false;
};

}  // namespace lrtune

// The worker's loop: it owns the core, the socket and the clock, carries the core's actions out and
// feeds it with what the coordinator and the training threads say. The only thread that touches any
// of them.
#pragma once

#include <spdlog/logger.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/wire/security/key_folder.h"
#include "worker/core/worker_core.h"
#include "worker/training/trainer.h"

namespace lrtune {

struct StopNotice {
  std::string reason;
  bool at_once = false;  // without checkpoints
};

// When `descriptor` becomes readable, `take` is called, and the worker leaves as it says.
struct StopSource {
  int descriptor = -1;
  std::function<StopNotice()> take;
  bool may_come_again = false;  // else it is looked at once, as it stays readable
};

struct WorkerRuntimeOptions {
  std::string endpoint;  // of the coordinator, as ZeroMQ's: "tcp://HOST:PORT"
  std::optional<wire::ClientSecurity> security;  // none: loopback only
  WorkerOptions core;  // `process` is drawn here, `numerics` are the trainer's
  std::vector<StopSource> stop_sources;
};

struct WorkerEnd {
  int code = 0;
  std::string reason;
  // Set if training threads or surveys go on, perhaps for ever. Its destruction waits for them: a
  // process that wants to end does so without it (std::_Exit). It uses the trainer.
  std::shared_ptr<void> left_behind = {};
};

// Runs until the coordinator sends the worker away, a stop source fires or the core gives up; then
// all training threads have ended, but for those in `left_behind`. Errors: the endpoint is not one,
// or is not loopback and there are no keys.
Result<WorkerEnd> run_worker(const WorkerRuntimeOptions& options, Trainer& trainer,
                             const std::shared_ptr<spdlog::logger>& log);

}  // namespace lrtune

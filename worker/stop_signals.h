// SIGTERM, SIGINT and SIGUSR1 (a notice that the machine will be taken away, as of Slurm's
// --signal) as something that can be waited for beside a socket. Make it before other threads
// start: they inherit the blocked signals.
#pragma once

#include <string>

#include "common/result.h"
#include "worker/descriptor.h"

namespace lrtune {

class StopSignals {
 public:
  static Result<StopSignals> block();

  int descriptor() const { return descriptor_.number(); }  // readable while a signal is not taken
  // The name of a signal that came.
  std::string take();
  // From now on SIGTERM and SIGINT end the process at once.
  void let_kill();

 private:
  explicit StopSignals(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  Descriptor descriptor_;
};

// A descriptor that becomes readable when process `pid` ends. Errors: there is no such process.
Result<Descriptor> watch_process(int pid);

}  // namespace lrtune

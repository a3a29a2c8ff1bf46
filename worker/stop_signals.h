// SIGTERM and SIGINT as something that can be waited for beside a socket. Make it before other
// threads start: they inherit the blocked signals.
#pragma once

#include <string>

#include "common/result.h"
#include "worker/descriptor.h"

namespace lrtune {

class StopSignals {
 public:
  static Result<StopSignals> block();

  int descriptor() const { return descriptor_.number(); }  // readable once a signal came
  // The name of the signal that came. From then on a second one ends the process at once.
  std::string take();

 private:
  explicit StopSignals(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  Descriptor descriptor_;
};

// A descriptor that becomes readable when process `pid` ends. Errors: there is no such process.
Result<Descriptor> watch_process(int pid);

}  // namespace lrtune

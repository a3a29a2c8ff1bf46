// Where the training threads leave events for the socket thread. Any thread may push; one thread
// takes. The descriptor is readable while something is there, so that the taker can wait for it and
// for a socket at once.
#pragma once

#include <mutex>
#include <vector>

#include "worker/core/worker_core.h"
#include "worker/descriptor.h"

namespace lrtune {

class Inbox {
 public:
  Inbox();  // throws std::system_error if the process has no descriptor left
  void push(WorkerEvent event);
  std::vector<WorkerEvent> take();  // all, in the order in which they were pushed
  int descriptor() const { return wake_.number(); }

 private:
  std::mutex mutex_;
  std::vector<WorkerEvent> events_;
  Descriptor wake_;
};

}  // namespace lrtune

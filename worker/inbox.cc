#include "worker/inbox.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>

namespace lrtune {

Inbox::Inbox() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

// The descriptor changes under the mutex too, so it is readable exactly while events are there.
void Inbox::push(WorkerEvent event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  if (events_.size() == 1) eventfd_write(wake_.number(), 1);
}

std::vector<WorkerEvent> Inbox::take() {
  const std::lock_guard lock(mutex_);
  if (!events_.empty()) {
    eventfd_t count = 0;
    eventfd_read(wake_.number(), &count);
  }
  return std::exchange(events_, {});
}

}  // namespace lrtune

#include <utility>

#include "worker/training/recorded_work.h"

namespace lrtune {

std::unique_ptr<RecordedWork> record_work(at::Device, std::function<void()> work) {
  return std::make_unique<KeptWork>(std::move(work));
}

}  // namespace lrtune

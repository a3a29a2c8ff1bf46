#include <utility>

#include "worker/training/recorded_work.h"

namespace lrtune {
namespace {

class KeptWork final : public RecordedWork {
 public:
  explicit KeptWork(std::function<void()> work) : work_(std::move(work)) {}
  void repeat() override { work_(); }

 private:
  std::function<void()> work_;
};

}  // namespace

std::unique_ptr<RecordedWork> record_work(at::Device, std::function<void()> work) {
  return std::make_unique<KeptWork>(std::move(work));
}

}  // namespace lrtune

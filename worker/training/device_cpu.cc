// The device of a build without CUDA.
#include <fmt/format.h>

#include "worker/training/cpu_settings.h"
#include "worker/training/device.h"

namespace lrtune {

Result<ComputeDevice> open_device(const std::string& name) {
  if (name == "cuda") {
    return fail("the device cuda needs lrtune-worker-cuda; this program computes on the cpu alone");
  }
  if (name != "cpu") return fail(fmt::format("the device must be cpu or cuda, not '{}'", name));
  prepare_process_for_cpu();
  return ComputeDevice{at::kCPU, cpu_instruction_set()};
}

struct ThreadScope::Stream {};

ThreadScope::ThreadScope(at::Device, int threads) { set_computing_threads(threads); }
ThreadScope::~ThreadScope() = default;

bool has_room(at::Device, std::int64_t) { return true; }
void finish_work(at::Device) {}

}  // namespace lrtune

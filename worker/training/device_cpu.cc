// The device of a build without CUDA.
#include <fmt/format.h>

#include "worker/training/cpu_settings.h"
#include "worker/training/device.h"
#include "worker/training/device_name.h"

namespace lrtune {

Result<ComputeDevice> open_device(const std::string& name) {
  const auto device = parse_device(name);
  if (!device) return tl::unexpected(device.error());
  if (device->kind != "cpu") {
    return fail(fmt::format(
        "the device {} needs lrtune-worker-cuda; this program computes on the cpu alone", name));
  }
  prepare_process_for_cpu();
  return ComputeDevice{at::kCPU, cpu_instruction_set()};
}

struct ThreadScope::Stream {};

ThreadScope::ThreadScope(at::Device, int threads) { set_computing_threads(threads); }
ThreadScope::~ThreadScope() = default;

struct SideStream::Stream {};
SideStream::SideStream(at::Device) {}
SideStream::~SideStream() = default;
void SideStream::run(const std::function<void()>& work) { work(); }
void SideStream::hand_over(std::span<const at::Tensor>) {}

std::optional<std::int64_t> free_memory(at::Device) { return std::nullopt; }
void begin_counting_memory(at::Device) {}
std::int64_t taken_memory(at::Device) { return 0; }
void give_back_memory(at::Device) {}

bool has_room(at::Device, std::int64_t) { return true; }
void finish_work(at::Device) {}

}  // namespace lrtune

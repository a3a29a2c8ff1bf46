// The device that a process computes on. device_cpu.cc and device_cuda.cc each implement this
// header; a program links one of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/result.h"
#include "worker/training/torch_headers.h"

namespace lrtune {

struct ComputeDevice {
  at::Device device = at::kCPU;
  std::string instruction_set;  // as Numerics has it
};

// Finds the device of that name (device_name.h) and sets LibTorch up for it, in the whole process:
// deterministic algorithms, float32 without shortcuts. Errors: no such device, not in this build,
// or not in this machine.
Result<ComputeDevice> open_device(const std::string& name);

// What a training thread holds while it computes: its number of computing threads and, on CUDA, its
// own stream.
class ThreadScope {
 public:
  ThreadScope(at::Device device, int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

// A second stream of the device for a training thread: what it is given there runs beside the work
// on the thread's own stream. On the CPU it is done at once. Of one thread.
class SideStream {
 public:
  explicit SideStream(at::Device device);  // after what the calling thread has asked for so far
  ~SideStream();
  SideStream(const SideStream&) = delete;
  SideStream& operator=(const SideStream&) = delete;

  void run(const std::function<void()>& work);
  // The thread's own stream waits for all that was run; `tensors`, made there, are used on it from
  // now on.
  void hand_over(std::span<const at::Tensor> tensors);
  void hand_over(std::initializer_list<at::Tensor> tensors) {
    hand_over(std::span(tensors.begin(), tensors.size()));
  }

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;  // none on the CPU
};

// Bytes that tensors may still take on `device`, with what the allocator keeps for later; nothing
// for the CPU, which sets no limit.
std::optional<std::int64_t> free_memory(at::Device device);

// From here on taken_memory counts. REQUIRES: no other thread uses the device.
void begin_counting_memory(at::Device device);

// The most bytes that all threads took on `device` at a time since begin_counting_memory; 0 for the
// CPU.
std::int64_t taken_memory(at::Device device);

// The allocator gives back what no tensor uses.
void give_back_memory(at::Device device);

// `bytes` more can stay on `device`, with room left to compute. True for the CPU, where data
// already are.
bool has_room(at::Device device, std::int64_t bytes);

// Waits until the calling thread's work on `device` is done.
void finish_work(at::Device device);

}  // namespace lrtune

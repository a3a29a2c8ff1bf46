// The device that a process computes on. device_cpu.cc and device_cuda.cc each implement this
// header; a program links one of them.
#pragma once

#include <memory>
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

// `bytes` more can stay on `device`, with room left to compute. True for the CPU, where data
// already are.
bool has_room(at::Device device, std::int64_t bytes);

// Waits until the calling thread's work on `device` is done.
void finish_work(at::Device device);

}  // namespace lrtune

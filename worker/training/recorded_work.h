// Work that a device is given once and then repeats: a CUDA graph, which costs one launch instead
// of hundreds. recorded_work_cpu.cc and recorded_work_cuda.cc each implement this header; a program
// links one of them.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "worker/training/torch_headers.h"

namespace lrtune {

class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  // In the order of the calling thread's stream; does not wait for it.
  virtual void repeat() = 0;
};

// What the CPU does: it calls the work each time.
class KeptWork final : public RecordedWork {
 public:
  explicit KeptWork(std::function<void()> work) : work_(std::move(work)) {}
  void repeat() override { work_(); }

 private:
  std::function<void()> work_;
};

// `work` asks the device for the same each time, reads and writes tensors that stay where they are,
// and draws no random numbers. On CUDA it is called now, once: what it asks for is recorded and not
// carried out, and the tensors that it makes are written by each repeat(). On the CPU it is kept,
// and called by each repeat(). Throws c10::Error if the device cannot record it.
//
// The calling thread must have a stream of its own (ThreadScope), and have done the same work
// before without a record, since libraries set themselves up when they are used first.
std::unique_ptr<RecordedWork> record_work(at::Device device, std::function<void()> work);

}  // namespace lrtune

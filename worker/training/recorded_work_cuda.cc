// CUDA graphs through LibTorch (ATen/cuda/CUDAGraph.h). Compiled and linked; never run on a GPU.
#include <ATen/cuda/CUDAGraph.h>

#include <utility>

#include "worker/training/recorded_work.h"

namespace lrtune {
namespace {

class Graph final : public RecordedWork {
 public:
  // A pool of memory of its own: the graph writes to the same addresses each time, so nobody else
  // may get them. Thread-local: what other slots do meanwhile is neither recorded nor forbidden.
  explicit Graph(std::function<void()> work) : work_(std::move(work)) {
    graph_.capture_begin(at::cuda::graph_pool_handle(), cudaStreamCaptureModeThreadLocal);
    try {
      work_();
    } catch (...) {
      end_in_vain();
      throw;
    }
    graph_.capture_end();
  }
  void repeat() override { graph_.replay(); }

 private:
  // Without it the stream would record on.
  void end_in_vain() {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {  // the first error is the one that tells
    }
  }

  std::function<void()> work_;  // keeps its tensors
  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<RecordedWork> record_work(at::Device device, std::function<void()> work) {
  if (!device.is_cuda()) return std::make_unique<KeptWork>(std::move(work));
  return std::make_unique<Graph>(std::move(work));
}

}  // namespace lrtune

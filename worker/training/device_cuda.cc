// The devices of a build with CUDA: the CPU too, so that the program runs where no GPU is.
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include <cstdlib>

#include "worker/training/cpu_settings.h"
#include "worker/training/device.h"
#include "worker/training/device_name.h"

namespace lrtune {
namespace {

Result<std::string> compute_capability(c10::DeviceIndex index) {
  int major = 0;
  int minor = 0;
  const auto status = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index);
  const auto status_minor =
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index);
  if (status != cudaSuccess || status_minor != cudaSuccess) {
    return fail(fmt::format("the device cuda does not tell its compute capability: {}",
                            cudaGetErrorString(status != cudaSuccess ? status : status_minor)));
  }
  return fmt::format("{}.{}", major, minor);
}

// What makes a GPU compute the same bits each time, in plain float32.
void prepare_process_for_cuda() {
  // cuBLAS reads it when it starts; without it its results depend on what other streams do at the
  // time.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/1);
  auto& context = at::globalContext();
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
}

}  // namespace

Result<ComputeDevice> open_device(const std::string& name) {
  const auto device = parse_device(name);
  if (!device) return tl::unexpected(device.error());
  prepare_process_for_cpu();
  if (device->kind == "cpu") return ComputeDevice{at::kCPU, cpu_instruction_set()};
  int count = 0;
  const auto status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    return fail(
        fmt::format("the device {} is not there: {}", name,
                    status != cudaSuccess ? cudaGetErrorString(status) : "no GPU was found"));
  }
  if (device->index >= count) {
    return fail(
        fmt::format("the device {} is not there: the last GPU is cuda:{}", name, count - 1));
  }
  prepare_process_for_cuda();
  auto capability = compute_capability(static_cast<c10::DeviceIndex>(device->index));
  if (!capability) return tl::unexpected(capability.error());
  return ComputeDevice{at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device->index)),
                       *capability};
}

struct ThreadScope::Stream {
  explicit Stream(c10::DeviceIndex index) : guard(c10::cuda::getStreamFromPool(false, index)) {}
  c10::cuda::CUDAStreamGuard guard;
};

ThreadScope::ThreadScope(at::Device device, int threads) {
  set_computing_threads(threads);
  if (device.is_cuda()) stream_ = std::make_unique<Stream>(device.index());
}
ThreadScope::~ThreadScope() = default;

struct SideStream::Stream {
  explicit Stream(c10::DeviceIndex index) : side(c10::cuda::getStreamFromPool(false, index)) {}
  c10::cuda::CUDAStream side;
  at::cuda::CUDAEvent done;
};

SideStream::SideStream(at::Device device) {
  if (!device.is_cuda()) return;
  stream_ = std::make_unique<Stream>(device.index());
  at::cuda::CUDAEvent so_far;
  so_far.record(c10::cuda::getCurrentCUDAStream(device.index()));
  so_far.block(stream_->side);
}
SideStream::~SideStream() = default;

void SideStream::run(const std::function<void()>& work) {
  if (stream_ == nullptr) return work();
  const c10::cuda::CUDAStreamGuard guard(stream_->side);
  work();
  stream_->done.record(stream_->side);
}

// The allocator must not give the tensors' memory to the side stream again before the thread's
// stream is through with it.
void SideStream::hand_over(std::span<const at::Tensor> tensors) {
  if (stream_ == nullptr) return;
  const auto own = c10::cuda::getCurrentCUDAStream(stream_->side.device_index());
  stream_->done.block(own);
  for (const at::Tensor& tensor : tensors) {
    if (tensor.is_cuda())
      c10::cuda::CUDACachingAllocator::recordStream(tensor.storage().data_ptr(), own);
  }
}

namespace {

// All that the allocator has taken from the device, used or kept for later.
c10::CachingAllocator::Stat reserved_memory(at::Device device) {
  const auto all = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return c10::cuda::CUDACachingAllocator::getDeviceStats(device.index()).reserved_bytes[all];
}

}  // namespace

std::optional<std::int64_t> free_memory(at::Device device) {
  if (!device.is_cuda()) return std::nullopt;
  std::size_t free = 0;
  std::size_t total = 0;
  const c10::cuda::CUDAGuard guard(device);
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return 0;
  const auto all = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
  const auto kept = stats.reserved_bytes[all].current - stats.allocated_bytes[all].current;
  return static_cast<std::int64_t>(free) + kept;
}

void begin_counting_memory(at::Device device) {
  if (!device.is_cuda()) return;
  give_back_memory(device);
  c10::cuda::CUDACachingAllocator::resetPeakStats(device.index());
}

std::int64_t taken_memory(at::Device device) {
  return device.is_cuda() ? reserved_memory(device).peak : 0;
}

void give_back_memory(at::Device device) {
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
}

bool has_room(at::Device device, std::int64_t bytes) {
  if (!device.is_cuda()) return true;
  std::size_t free = 0;
  std::size_t total = 0;
  const c10::cuda::CUDAGuard guard(device);
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return false;
  return static_cast<std::size_t>(bytes) < free / 2;
}

void finish_work(at::Device device) {
  if (device.is_cuda()) c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
}

}  // namespace lrtune

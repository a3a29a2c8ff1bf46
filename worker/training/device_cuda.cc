// The devices of a build with CUDA: the CPU too, so that the program runs where no GPU is.
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

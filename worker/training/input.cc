#include "worker/training/input.h"

namespace lrtune {
namespace {

constexpr double kScale = 1.0 / 256;

}  // namespace

// A plain contiguous() leaves images of one channel in the other format by name, and pooling then
// takes seven times as long.
at::Tensor network_inputs(const at::Tensor& images) {
  at::Tensor inputs =
      at::empty(images.sizes(), images.options().dtype(at::kFloat), at::MemoryFormat::ChannelsLast);
  return inputs.copy_(images).mul_(kScale);
}

}  // namespace lrtune

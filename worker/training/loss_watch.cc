#include "worker/training/loss_watch.h"

#include <cmath>

namespace lrtune {

LossWatch::LossWatch(at::Device device) : on_cpu_(device.is_cpu()) {
  if (!on_cpu_) device_word_ = at::full({}, -1, at::TensorOptions(at::kLong).device(device));
}

void LossWatch::note(const at::Tensor& loss, std::int64_t iteration) {
  if (on_cpu_) {
    if (first_bad_ < 0 && !std::isfinite(loss.item<float>())) first_bad_ = iteration;
    return;
  }
  const at::NoGradGuard no_graph;
  const at::Tensor first = at::logical_and(device_word_.lt(0), at::isfinite(loss).logical_not());
  device_word_.masked_fill_(first, iteration);
}

std::optional<std::int64_t> LossWatch::first_bad() const {
  const std::int64_t value = on_cpu_ ? first_bad_ : device_word_.item<std::int64_t>();
  if (value < 0) return std::nullopt;
  return value;
}

}  // namespace lrtune

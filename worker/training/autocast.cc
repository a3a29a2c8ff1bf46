#include "worker/training/autocast.h"

#include <ATen/autocast_mode.h>

namespace lrtune {

AutocastScope::AutocastScope(at::Device device, Precision precision)
    : device_(device.type()), on_(precision == Precision::kBfloat16) {
  if (!on_) return;
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::increment_nesting();
}

// The cache holds copies of the weights, which the next step changes.
AutocastScope::~AutocastScope() {
  if (!on_) return;
  at::autocast::set_autocast_enabled(device_, false);
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
}

}  // namespace lrtune

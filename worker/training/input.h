// From the bytes of images to what a network takes.
#pragma once

#include "worker/training/torch_headers.h"

namespace lrtune {

// `images`: bytes, samples x channels x rows x columns. Returns float32 in channels-last memory:
// each byte times 1/256, as LRBench feeds LeNet.
at::Tensor network_inputs(const at::Tensor& images);

}  // namespace lrtune

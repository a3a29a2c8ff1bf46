// Local response normalisation within each channel, as Caffe defines it.
#pragma once

#include "worker/training/torch_headers.h"

namespace lrtune {

// x * (1 + alpha * mean of x^2 over the 3x3 pixels around)^-0.75; pixels outside of the image count
// as zeros, so the mean's divisor is 9 everywhere. `inputs`: samples x channels x rows x columns.
// The backward pass is written out: with LibTorch's pow the step of CNN3 would spend most of its
// time here. It cannot be differentiated twice.
at::Tensor within_channel_norm(const at::Tensor& inputs, double alpha);

}  // namespace lrtune

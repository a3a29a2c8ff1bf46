// Residual networks with batch normalisation.
//
// resnet32 (He et al., Deep Residual Learning for Image Recognition, section 4.2, n = 5):
// convolution 3x3 of 16 maps; three stages of five blocks of two 3x3 convolutions, 16, 32, 64 maps,
// the second and third stage at half the size; mean over the pixels; full. A shortcut into a stage
// takes every second pixel and pads the new maps with zeros (option A), so it has no parameter. He
// normal weights, sqrt(2 / fan_in), the full layer's too.
//
// resnet18 (torchvision's): convolution 7x7 of 64 maps, stride 2; max pooling 3/2; four stages of
// two blocks, 64 to 512 maps; a shortcut into a stage is a 1x1 convolution with batch
// normalisation. Weights normal with sqrt(2 / fan_out), the full layer's uniform in +-sqrt(1 /
// fan_in).
//
// Both: factors of batch normalisation 1, all biases but the full layer's of resnet18 0; running
// statistics move by 0.1, eps 1e-5. Names of parameters and buffers are torchvision's.
#pragma once

#include "worker/training/models.h"

namespace lrtune {

class InitialWeights;

std::unique_ptr<Model> make_resnet32(const ModelSpec& spec, const ImageShape& shape,
                                     const InitialWeights& weights, double width);
std::unique_ptr<Model> make_resnet18(const ModelSpec& spec, const ImageShape& shape,
                                     const InitialWeights& weights, double width);

// Pixels of the smallest maps, whose statistics over a batch are taken.
std::int64_t least_pixels_resnet32(const ImageShape& shape);
std::int64_t least_pixels_resnet18(const ImageShape& shape);

}  // namespace lrtune

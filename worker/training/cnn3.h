// CNN3, the network that the paper trains on CIFAR-10 and SVHN: Caffe's
// examples/cifar10/cifar10_full_train_test.prototxt. Convolution 32@5 pad 2, max pooling 3/2, ReLU,
// LRN; convolution 32@5 pad 2, ReLU, average pooling 3/2, LRN; convolution 64@5 pad 2, ReLU,
// average pooling 3/2; full 10. Pooling rounds up (32, 16, 8, 4); an average is taken over the
// pixels that lie in the image. Weights are normal with standard deviation 1e-4, .01, .01, .01,
// biases 0. Biases learn at twice the rate but the third convolution's; the full layer's weights
// decay 250 times as fast, its biases not at all.
#pragma once

#include "worker/training/models.h"

namespace lrtune {

class InitialWeights;

std::optional<Error> check_cnn3(const ModelSpec& spec, const ImageShape& shape);
std::unique_ptr<Model> make_cnn3(const ModelSpec& spec, const ImageShape& shape,
                                 const InitialWeights& weights, double width);

}  // namespace lrtune

// LeNet as LRBench and Caffe train it on MNIST (Wu & Liu; Caffe's
// examples/mnist/lenet_train_test.prototxt): pixels / 256; convolution 20@5; max pooling 2/2;
// convolution 50@5; max pooling 2/2; full 500; ReLU; full 10. No ReLU after the convolutions.
// Xavier weights, zero biases; biases learn at twice the rate.
#pragma once

#include "worker/training/models.h"

namespace lrtune {

class InitialWeights;

std::optional<Error> check_lenet(const ModelSpec& spec, const ImageShape& shape);
std::unique_ptr<Model> make_lenet(const ModelSpec& spec, const ImageShape& shape,
                                  const InitialWeights& weights, double width);

}  // namespace lrtune

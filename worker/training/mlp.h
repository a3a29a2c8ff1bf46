// A small network for tests and quick looks: full layer of `hidden` units, ReLU, dropout, full
// layer. Xavier weights, zero biases.
#pragma once

#include "worker/training/models.h"

namespace lrtune {

class InitialWeights;

std::unique_ptr<Model> make_mlp(const ModelSpec& spec, const ImageShape& shape,
                                const InitialWeights& weights, double width);

}  // namespace lrtune

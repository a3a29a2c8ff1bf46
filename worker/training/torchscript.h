// Networks that users bring: TorchScript, saved by PyTorch with torch.jit.script(...).save(...) or
// torch.jit.trace(...).save(...).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/result.h"
#include "common/training/model_spec.h"
#include "worker/training/models.h"

namespace lrtune {

// The network in `bytes`, the contents of `name` (for errors), with the weights that are in it:
// these are its initial weights, whatever the seed. Its parameters are those of its tensors that
// ask for a gradient and that the loss depends on. It computes without TorchScript's optimising
// executor, whose results change after the first passes.
//
// A network that draws random numbers takes them from LibTorch's default generator, which no other
// code of this program uses: its passes have the generator to themselves, in the whole process, and
// start it anew from (seed, iteration).
//
// `batch` samples are tried in a training pass. Errors: it is no such file; it keeps a state that
// is no tensor; a parameter is not float32; it cannot take images of `shape`; it does not return
// logits, samples x classes.
Result<std::unique_ptr<Model>> make_torchscript(const std::string& bytes, const std::string& name,
                                                const ModelSpec& spec, const ImageShape& shape,
                                                std::int64_t batch, at::Device device);

}  // namespace lrtune

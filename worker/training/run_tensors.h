// The tensors that a run changes, as a checkpoint keeps them.
#pragma once

#include <span>
#include <vector>

#include "common/result.h"
#include "worker/checkpoints/checkpoint.h"
#include "worker/training/models.h"
#include "worker/training/optimizers.h"

namespace lrtune {

// Parameters, buffers, the optimizer's state: those in use, named "parameter/...", "buffer/...",
// "optimizer/...".
std::vector<NamedTensor> run_tensors(const Model& model, const Optimizer& optimizer);

// Copies. On a GPU it waits for the work that the calling thread gave it.
std::vector<StoredTensor> stored(std::span<const NamedTensor> tensors);

// Writes the stored values into the tensors. Errors, before any is changed: names, types or shapes
// are not the same, in the same order.
Result<void> restore(std::span<const StoredTensor> values, std::span<const NamedTensor> tensors);

}  // namespace lrtune

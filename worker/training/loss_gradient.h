// The loss of a training batch and its gradient: one step without the optimizer's part.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/training.h"
#include "worker/training/batch_source.h"
#include "worker/training/models.h"
#include "worker/training/recorded_work.h"

namespace lrtune {

struct StepOptions {
  // Steps are recorded once and then repeated (a CUDA graph), where each is the same work: not for
  // networks that draw in each pass, nor for a batch of another size.
  bool record = false;
  std::function<void(const std::string&)> log = [](const std::string&) {};  // any thread
};

// One run's; used by its thread.
class LossGradient {
 public:
  // The model outlives it.
  LossGradient(Model& model, at::Device device, Precision precision, StepOptions options);

  struct Values {
    at::Tensor loss;                    // cross entropy, mean over the batch: one number
    std::vector<at::Tensor> gradients;  // of model.parameters(), in their order
  };
  // Valid until the next call.
  const Values& of(const Batch& batch, const ForwardPass& pass);

  // In the parameters' type, whatever the precision inside.
  at::Tensor logits(const at::Tensor& inputs, const ForwardPass& pass);

 private:
  void compute(const at::Tensor& inputs, const at::Tensor& labels, const ForwardPass& pass);
  bool repeat(const Batch& batch);
  void record(const Batch& batch, const ForwardPass& pass);

  Model& model_;
  const at::Device device_;
  const Precision precision_;
  StepOptions options_;
  std::vector<at::Tensor> parameters_;
  Values values_;
  int plain_steps_ = 0;  // since the run began or went on
  // Where a recorded step reads its batch, and what it does.
  at::Tensor inputs_;
  at::Tensor labels_;
  std::unique_ptr<RecordedWork> recorded_;
  Values recorded_values_;
};

}  // namespace lrtune

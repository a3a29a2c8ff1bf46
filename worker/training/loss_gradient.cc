#include "worker/training/loss_gradient.h"

#include <utility>

#include "worker/training/autocast.h"

namespace lrtune {
namespace {

// cuDNN and cuBLAS choose and set up what they need in the first steps; a graph must not record
// that.
constexpr int kPlainSteps = 3;

}  // namespace

LossGradient::LossGradient(Model& model, at::Device device, Precision precision,
                           StepOptions options)
    : model_(model), device_(device), precision_(precision), options_(std::move(options)) {
  for (const Parameter& parameter : model.parameters()) parameters_.push_back(parameter.value);
  options_.record = options_.record && model.same_work_each_pass();
}

at::Tensor LossGradient::logits(const at::Tensor& inputs, const ForwardPass& pass) {
  const AutocastScope precision(device_, precision_);
  return model_.logits(inputs, pass).to(inputs.scalar_type());
}

void LossGradient::compute(const at::Tensor& inputs, const at::Tensor& labels,
                           const ForwardPass& pass) {
  values_ = {};  // their memory is free for this pass
  values_.loss = at::cross_entropy_loss(logits(inputs, pass), labels);
  values_.gradients = torch::autograd::grad({values_.loss}, parameters_);
  values_.loss = values_.loss.detach();
}

const LossGradient::Values& LossGradient::of(const Batch& batch, const ForwardPass& pass) {
  if (options_.record && recorded_ == nullptr && plain_steps_ == kPlainSteps) record(batch, pass);
  if (recorded_ != nullptr && repeat(batch)) return recorded_values_;
  compute(batch.inputs, batch.labels, pass);
  ++plain_steps_;
  return values_;
}

bool LossGradient::repeat(const Batch& batch) {
  if (batch.inputs.sizes() != inputs_.sizes()) return false;
  inputs_.copy_(batch.inputs);
  labels_.copy_(batch.labels);
  recorded_->repeat();
  return true;
}

// What the record writes to are the tensors of the recorded pass, so they are kept apart.
void LossGradient::record(const Batch& batch, const ForwardPass& pass) {
  inputs_ = at::empty_like(batch.inputs);
  labels_ = at::empty_like(batch.labels);
  try {
    recorded_ = record_work(device_, [this, pass] {
      compute(inputs_, labels_, pass);
      recorded_values_ = values_;
    });
  } catch (const c10::Error& error) {
    options_.record = false;
    options_.log(std::string("steps are not recorded as a CUDA graph: ") +
                 error.what_without_backtrace());
  }
}

}  // namespace lrtune

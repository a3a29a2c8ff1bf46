#include "worker/training/m_opt_meter.h"

#include <utility>

namespace lrtune {
namespace {

// Of doubles.
double l1_norm(const at::Tensor& difference) { return difference.abs().sum().item<double>(); }

}  // namespace

MoptMeter::MoptMeter(std::span<const Parameter> parameters, std::int64_t every) : every_(every) {
  for (const Parameter& parameter : parameters) parameters_.push_back(parameter.value.detach());
}

std::vector<at::Tensor> MoptMeter::copies() const {
  std::vector<at::Tensor> copies;
  for (const at::Tensor& parameter : parameters_)
    copies.push_back(parameter.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true));
  return copies;
}

void MoptMeter::before_step(std::int64_t t) {
  if (every_ > 0 && t % every_ == 0) first_ = copies();
}

void MoptMeter::after_step(std::int64_t t, double rate) {
  if (first_.empty()) return;
  if (middle_.empty()) {
    middle_ = copies();
    return;
  }
  double moved = 0;
  double turned = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor last = parameters_[i].to(at::kDouble);
    moved += l1_norm(middle_[i] - first_[i]);
    turned += l1_norm(2 * middle_[i] - first_[i] - last);
  }
  values_.push_back({t, rate, m_opt(rate, moved, turned)});
  first_.clear();
  middle_.clear();
}

}  // namespace lrtune

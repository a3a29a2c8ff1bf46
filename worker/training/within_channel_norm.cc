#include "worker/training/within_channel_norm.h"

#include <torch/csrc/autograd/custom_function.h>

namespace lrtune {
namespace {

constexpr double kBeta = 0.75;  // s^-0.75 is made of square roots below

// The mean over 3x3 pixels; it is its own transpose.
at::Tensor smoothed(const at::Tensor& x) {
  return at::avg_pool2d(x, /*kernel_size=*/3, /*stride=*/1, /*padding=*/1, /*ceil_mode=*/false,
                        /*count_include_pad=*/true);
}

// s = 1 + alpha*smoothed(x^2), f = s^-beta, y = x*f; for a gradient g of y
// dx = g*f - 2*alpha*beta * x * smoothed(g*f*x/s).
class WithinChannelNorm : public torch::autograd::Function<WithinChannelNorm> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            double alpha) {
    const at::Tensor s = smoothed(x * x).mul_(alpha).add_(1);
    at::Tensor f = s.rsqrt();
    f.mul_(f.sqrt());
    context->save_for_backward({x, s, f});
    context->saved_data["alpha"] = alpha;
    return x * f;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const double alpha = context->saved_data["alpha"].toDouble();
    at::Tensor scaled = gradients[0] * saved[2];
    const at::Tensor spread = smoothed((scaled * x).div_(saved[1]));
    scaled.addcmul_(x, spread, -2 * alpha * kBeta);
    return {scaled, at::Tensor()};
  }
};

}  // namespace

at::Tensor within_channel_norm(const at::Tensor& inputs, double alpha) {
  return WithinChannelNorm::apply(inputs, alpha);
}

}  // namespace lrtune

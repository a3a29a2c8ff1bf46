// The loss of a batch and its gradient: plain, and recorded and repeated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/training/device.h"
#include "worker/training/loss_gradient.h"

namespace lrtune {
namespace {

constexpr ImageShape kDigits{.channels = 1, .rows = 28, .columns = 28, .classes = 10};

class LossGradientTest : public ::testing::Test {
 protected:
  std::unique_ptr<Model> model(const ModelSpec& spec) {
    return std::move(make_model(spec, kDigits, /*seed=*/3, at::kCPU).value());
  }
  // A batch of `samples` that depends on `number` alone.
  Batch batch(int number, std::int64_t samples) const {
    const at::Tensor pixels = (at::arange(samples * 28 * 28, at::kFloat) * (0.37 + number))
                                  .sin()
                                  .view({samples, 28, 28, 1});
    return {.inputs = pixels.permute({0, 3, 1, 2}),
            .labels = (at::arange(samples, at::kLong) * (number + 1)).remainder(10),
            .classes = {}};
  }
  static ForwardPass pass(std::int64_t iteration) {
    return {.training = true, .seed = 3, .iteration = iteration};
  }

  const ComputeDevice device_ = open_device("cpu").value();
  const ThreadScope scope_{device_.device, 1};
};

void expect_same(const LossGradient::Values& one, const LossGradient::Values& other) {
  EXPECT_TRUE(at::equal(one.loss, other.loss));
  ASSERT_EQ(one.gradients.size(), other.gradients.size());
  for (std::size_t i = 0; i < one.gradients.size(); ++i)
    EXPECT_TRUE(at::equal(one.gradients[i], other.gradients[i])) << "parameter " << i;
}

// A batch that lost images to damaged files is smaller: it is computed plainly, and the next full
// one is repeated again.
TEST_F(LossGradientTest, BatchesOfAnySizeAreTheSameRecordedOrNot) {
  const auto plain_model = model({.name = "lenet"});
  const auto recorded_model = model({.name = "lenet"});
  LossGradient plain(*plain_model, at::kCPU, Precision::kFloat32, {});
  LossGradient recorded(*recorded_model, at::kCPU, Precision::kFloat32, {.record = true});
  int number = 0;
  for (const std::int64_t samples : {4, 4, 4, 4, 4, 3, 4, 5, 4}) {
    SCOPED_TRACE(number);
    const Batch one = batch(number, samples);
    expect_same(recorded.of(one, pass(number)), plain.of(one, pass(number)));
    ++number;
  }
}

// A record of dropout would leave out the same units in each step.
TEST_F(LossGradientTest, ANetworkThatDrawsIsNotRecorded) {
  const ModelSpec dropout{.name = "mlp", .hidden = 32, .dropout = 0.5};
  EXPECT_FALSE(model(dropout)->same_work_each_pass());
  EXPECT_TRUE(model({.name = "mlp", .hidden = 32})->same_work_each_pass());
  const auto drawing = model(dropout);
  LossGradient steps(*drawing, at::kCPU, Precision::kFloat32, {.record = true});
  const Batch one = batch(0, 4);
  at::Tensor before;
  for (std::int64_t t = 0; t < 8; ++t) {
    const at::Tensor gradient = steps.of(one, pass(t)).gradients[0].clone();
    if (before.defined()) {
      EXPECT_FALSE(at::equal(gradient, before)) << "step " << t;
    }
    before = gradient;
  }
}

// Repeating must not add to the gradients of the step before.
TEST_F(LossGradientTest, GradientsAreNotSummed) {
  const auto network = model({.name = "lenet"});
  LossGradient steps(*network, at::kCPU, Precision::kFloat32, {.record = true});
  const Batch one = batch(0, 4);
  const at::Tensor first = steps.of(one, pass(0)).gradients[0].clone();
  for (std::int64_t t = 1; t < 7; ++t)
    EXPECT_TRUE(at::equal(steps.of(one, pass(t)).gradients[0], first)) << "step " << t;
}

}  // namespace
}  // namespace lrtune

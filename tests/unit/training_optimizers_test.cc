#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "worker/training/optimizers.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kSize = 6;
constexpr std::array<double, 5> kRates = {0.1, 0.1, 0.01, 0.0,
                                          0.7};  // they change: that tells the styles apart

// One parameter of six numbers, in LibTorch and beside it in double.
struct Twin {
  Parameter parameter;
  std::array<double, kSize> theta{};
  std::array<double, kSize> velocity{};
  at::Tensor gradient;
};

Twin make_twin(int number, double rate, double decay) {
  Twin twin;
  const at::Tensor start =
      at::arange(static_cast<std::int64_t>(kSize), at::kFloat).mul_(0.3).sub_(0.5 + number);
  twin.parameter = {"p", start.clone().set_requires_grad(true), rate, decay};
  for (std::size_t i = 0; i < kSize; ++i)
    twin.theta[i] = start[static_cast<std::int64_t>(i)].item<float>();
  return twin;
}

using Formula = void (*)(double& theta, double& velocity, double gradient, double eta,
                         double momentum);

void sgd(double& theta, double&, double g, double eta, double) { theta -= eta * g; }
void paper(double& theta, double& v, double g, double eta, double m) {
  v = m * v - eta * g;
  theta += v;
}
void torch_style(double& theta, double& v, double g, double eta, double m) {
  v = m * v + g;
  theta -= eta * v;
}

void expect_follows(const OptimizerSpec& spec, Formula formula) {
  std::array<Twin, 3> twins{make_twin(0, 1, 1), make_twin(1, 2, 1), make_twin(2, 0.5, 0)};
  const std::vector<Parameter> parameters{twins[0].parameter, twins[1].parameter,
                                          twins[2].parameter};
  auto optimizer = make_optimizer(spec, parameters).value();
  for (std::size_t step = 0; step < kRates.size(); ++step) {
    std::vector<at::Tensor> gradients;
    for (Twin& twin : twins) {
      twin.gradient = at::arange(static_cast<std::int64_t>(kSize), at::kFloat)
                          .sub_(static_cast<double>(step) + 0.25);
      gradients.push_back(twin.gradient);
    }
    optimizer->step(gradients, kRates[step], static_cast<std::int64_t>(step));
    for (Twin& twin : twins) {
      for (std::size_t i = 0; i < kSize; ++i) {
        const double g = static_cast<double>(i) - static_cast<double>(step) - 0.25 +
                         spec.weight_decay * twin.parameter.decay * twin.theta[i];
        formula(twin.theta[i], twin.velocity[i], g, kRates[step] * twin.parameter.rate,
                spec.momentum);
        EXPECT_NEAR(twin.parameter.value[static_cast<std::int64_t>(i)].item<float>(), twin.theta[i],
                    3e-6)
            << "step " << step << " element " << i;
      }
    }
  }
}

TEST(OptimizersTest, SgdFollowsItsFormula) {
  expect_follows({.name = "sgd"}, sgd);
  expect_follows({.name = "sgd", .weight_decay = 0.05}, sgd);
}

TEST(OptimizersTest, PaperMomentumFollowsItsFormula) {
  expect_follows({.name = "momentum", .style = MomentumStyle::kPaper, .momentum = 0.9}, paper);
  expect_follows(
      {.name = "momentum", .style = MomentumStyle::kPaper, .momentum = 0.9, .weight_decay = 0.05},
      paper);
}

TEST(OptimizersTest, TorchMomentumFollowsItsFormula) {
  expect_follows({.name = "momentum", .style = MomentumStyle::kTorch, .momentum = 0.9},
                 torch_style);
  expect_follows(
      {.name = "momentum", .style = MomentumStyle::kTorch, .momentum = 0.9, .weight_decay = 0.05},
      torch_style);
}

TEST(OptimizersTest, GradientsStayAsTheyAre) {
  Twin twin = make_twin(0, 1, 1);
  const std::vector<Parameter> parameters{twin.parameter};
  auto optimizer =
      make_optimizer({.name = "momentum", .momentum = 0.9, .weight_decay = 0.1}, parameters)
          .value();
  const std::vector<at::Tensor> gradients{at::ones({static_cast<std::int64_t>(kSize)})};
  optimizer->step(gradients, 0.1, 0);
  EXPECT_TRUE(gradients[0].equal(at::ones({static_cast<std::int64_t>(kSize)})));
}

TEST(OptimizersTest, AnUnknownNameIsRefused) {
  const auto optimizer = make_optimizer({.name = "adamw"}, {});
  ASSERT_FALSE(optimizer);
  EXPECT_THAT(optimizer.error().message, HasSubstr("sgd, momentum"));
}

}  // namespace
}  // namespace lrtune

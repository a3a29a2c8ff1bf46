#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "worker/training/optimizers.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kSize = 6;
constexpr std::array<double, 5> kRates = {0.1, 0.1, 0.01, 0.0,
                                          0.7};  // they change: that tells the styles apart

// One element: what optimizers.h writes down, in double.
struct Element {
  double theta = 0;
  double first = 0;
  double second = 0;
};
struct Step {
  double gradient = 0;  // without weight decay
  double eta = 0;
  double decay = 0;
  int number = 1;  // n
};
using Formula = void (*)(Element&, const Step&, const OptimizerSpec&);

void sgd(Element& e, const Step& s, const OptimizerSpec&) {
  e.theta -= s.eta * (s.gradient + s.decay * e.theta);
}
void paper(Element& e, const Step& s, const OptimizerSpec& spec) {
  e.first = spec.momentum * e.first - s.eta * (s.gradient + s.decay * e.theta);
  e.theta += e.first;
}
void torch_style(Element& e, const Step& s, const OptimizerSpec& spec) {
  e.first = spec.momentum * e.first + s.gradient + s.decay * e.theta;
  e.theta -= s.eta * e.first;
}
void nesterov(Element& e, const Step& s, const OptimizerSpec& spec) {
  const double g = s.gradient + s.decay * e.theta;
  e.first = spec.momentum * e.first + g;
  e.theta -= s.eta * (g + spec.momentum * e.first);
}
void adam_with(Element& e, const Step& s, const OptimizerSpec& spec, double g) {
  e.first = spec.beta1 * e.first + (1 - spec.beta1) * g;
  e.second = spec.beta2 * e.second + (1 - spec.beta2) * g * g;
  const double mean = e.first / (1 - std::pow(spec.beta1, s.number));
  const double squares = e.second / (1 - std::pow(spec.beta2, s.number));
  e.theta -= s.eta * mean / (std::sqrt(squares) + spec.eps);
}
void adam(Element& e, const Step& s, const OptimizerSpec& spec) {
  adam_with(e, s, spec, s.gradient + s.decay * e.theta);
}
void adamw(Element& e, const Step& s, const OptimizerSpec& spec) {
  e.theta -= s.eta * s.decay * e.theta;
  adam_with(e, s, spec, s.gradient);
}
void adagrad(Element& e, const Step& s, const OptimizerSpec& spec) {
  const double g = s.gradient + s.decay * e.theta;
  if (s.number == 1) e.first = spec.initial_accumulator_value;
  e.first += g * g;
  e.theta -= s.eta * g / (std::sqrt(e.first) + spec.eps);
}
void rmsprop(Element& e, const Step& s, const OptimizerSpec& spec) {
  const double g = s.gradient + s.decay * e.theta;
  e.first = spec.alpha * e.first + (1 - spec.alpha) * g * g;
  e.second = spec.momentum * e.second + g / (std::sqrt(e.first) + spec.eps);
  e.theta -= s.eta * e.second;
}
void adadelta(Element& e, const Step& s, const OptimizerSpec& spec) {
  const double g = s.gradient + s.decay * e.theta;
  e.first = spec.rho * e.first + (1 - spec.rho) * g * g;
  const double d = g * std::sqrt(e.second + spec.eps) / std::sqrt(e.first + spec.eps);
  e.second = spec.rho * e.second + (1 - spec.rho) * d * d;
  e.theta -= s.eta * d;
}

struct Case {
  const char* json;
  Formula formula;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {R"({"name": "sgd"})", sgd},
      {R"({"name": "sgd", "weight_decay": 0.05})", sgd},
      {R"({"name": "momentum", "momentum": 0.9})", paper},
      {R"({"name": "momentum", "momentum": 0.9, "weight_decay": 0.05})", paper},
      {R"({"name": "momentum", "momentum": 0.9, "style": "torch"})", torch_style},
      {R"({"name": "momentum", "momentum": 0.8, "style": "torch", "weight_decay": 0.05})",
       torch_style},
      {R"({"name": "nesterov", "momentum": 0.9})", nesterov},
      {R"({"name": "nesterov", "momentum": 0.7, "weight_decay": 0.05})", nesterov},
      {R"({"name": "adam"})", adam},
      {R"({"name": "adam", "beta1": 0, "beta2": 0.9, "eps": 0.1, "weight_decay": 0.05})", adam},
      {R"({"name": "adamw"})", adamw},
      {R"({"name": "adamw", "weight_decay": 0.3})", adamw},
      {R"({"name": "adagrad"})", adagrad},
      {R"({"name": "adagrad", "initial_accumulator_value": 2, "weight_decay": 0.05})", adagrad},
      {R"({"name": "rmsprop"})", rmsprop},
      {R"({"name": "rmsprop", "alpha": 0.5, "momentum": 0.6, "weight_decay": 0.05})", rmsprop},
      {R"({"name": "adadelta"})", adadelta},
      {R"({"name": "adadelta", "rho": 0.5, "eps": 0.01, "weight_decay": 0.05})", adadelta},
  };
  return all;
}

OptimizerSpec spec_of(const Case& tried) {
  return optimizer_from_json(nlohmann::json::parse(tried.json)).value();
}

at::TensorOptions doubles() { return at::TensorOptions(at::kDouble); }

// Three parameters with different factors.
std::vector<Parameter> sample_parameters() {
  const auto start = [](int number) {
    return at::arange(static_cast<std::int64_t>(kSize), doubles()).mul_(0.3).sub_(0.5 + number);
  };
  return {{"p0", start(0).set_requires_grad(true), 1, 1},
          {"p1", start(1).set_requires_grad(true), 2, 1},
          {"p2", start(2).set_requires_grad(true), 0.5, 0}};
}

double sample_gradient(std::size_t parameter, std::size_t step, std::size_t element) {
  return 0.5 * static_cast<double>(element) - 0.7 * static_cast<double>(step) - 0.25 +
         0.1 * static_cast<double>(parameter);
}

std::vector<at::Tensor> sample_gradients(std::size_t step) {
  std::vector<at::Tensor> gradients;
  for (std::size_t p = 0; p < 3; ++p) {
    at::Tensor gradient = at::empty({static_cast<std::int64_t>(kSize)}, doubles());
    for (std::size_t i = 0; i < kSize; ++i)
      gradient[static_cast<std::int64_t>(i)] = sample_gradient(p, step, i);
    gradients.push_back(gradient);
  }
  return gradients;
}

TEST(OptimizersTest, FollowTheirFormulas) {
  for (const Case& tried : cases()) {
    const OptimizerSpec spec = spec_of(tried);
    const std::vector<Parameter> parameters = sample_parameters();
    std::array<std::array<Element, kSize>, 3> elements{};
    for (std::size_t p = 0; p < 3; ++p) {
      for (std::size_t i = 0; i < kSize; ++i)
        elements[p][i].theta = parameters[p].value[static_cast<std::int64_t>(i)].item<double>();
    }
    const auto optimizer = make_optimizer(spec, parameters).value();
    for (std::size_t step = 0; step < kRates.size(); ++step) {
      optimizer->step(sample_gradients(step), kRates[step], static_cast<std::int64_t>(step));
      for (std::size_t p = 0; p < 3; ++p) {
        for (std::size_t i = 0; i < kSize; ++i) {
          Element& element = elements[p][i];
          tried.formula(element,
                        {.gradient = sample_gradient(p, step, i),
                         .eta = kRates[step] * parameters[p].rate,
                         .decay = spec.weight_decay * parameters[p].decay,
                         .number = static_cast<int>(step) + 1},
                        spec);
          EXPECT_NEAR(parameters[p].value[static_cast<std::int64_t>(i)].item<double>(),
                      element.theta, 1e-12 * (1 + std::abs(element.theta)))
              << tried.json << " step " << step << " parameter " << p << " element " << i;
        }
      }
    }
  }
}

// A checkpoint keeps parameters and state() alone.
TEST(OptimizersTest, StateIsAllThatAStepKnows) {
  for (const Case& tried : cases()) {
    const OptimizerSpec spec = spec_of(tried);
    const std::vector<Parameter> through = sample_parameters();
    const auto first = make_optimizer(spec, through).value();
    for (std::size_t step = 0; step < 3; ++step)
      first->step(sample_gradients(step), kRates[step], static_cast<std::int64_t>(step));

    const std::vector<Parameter> resumed = sample_parameters();
    const auto second = make_optimizer(spec, resumed).value();
    const at::NoGradGuard no_graph;
    for (std::size_t p = 0; p < 3; ++p) resumed[p].value.copy_(through[p].value);
    const auto from = first->state();
    const auto to = second->state();
    ASSERT_EQ(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      EXPECT_EQ(from[i].name, to[i].name);
      to[i].value.copy_(from[i].value);
    }
    for (std::size_t step = 3; step < kRates.size(); ++step) {
      for (Optimizer* optimizer : {first.get(), second.get()})
        optimizer->step(sample_gradients(step), kRates[step], static_cast<std::int64_t>(step));
    }
    for (std::size_t p = 0; p < 3; ++p)
      EXPECT_TRUE(through[p].value.equal(resumed[p].value)) << tried.json;
  }
}

TEST(OptimizersTest, StateIsNamedAfterTheParameters) {
  const auto names = [](const char* json) {
    std::vector<std::string> all;
    const auto spec = optimizer_from_json(nlohmann::json::parse(json)).value();
    const std::vector<Parameter> parameters = sample_parameters();
    for (const NamedTensor& tensor : make_optimizer(spec, parameters).value()->state())
      all.push_back(tensor.name);
    return all;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(R"({"name": "sgd"})"), Names{});
  EXPECT_EQ(names(R"({"name": "momentum", "momentum": 0.9})"),
            (Names{"p0.velocity", "p1.velocity", "p2.velocity"}));
  EXPECT_EQ(names(R"({"name": "adam"})"), (Names{"p0.exp_avg", "p0.exp_avg_sq", "p1.exp_avg",
                                                 "p1.exp_avg_sq", "p2.exp_avg", "p2.exp_avg_sq"}));
}

TEST(OptimizersTest, GradientsStayAsTheyAre) {
  for (const Case& tried : cases()) {
    const std::vector<Parameter> parameters = sample_parameters();
    const auto optimizer = make_optimizer(spec_of(tried), parameters).value();
    const std::vector<at::Tensor> gradients = sample_gradients(1);
    for (int step = 0; step < 2; ++step) optimizer->step(gradients, 0.1, step);
    const std::vector<at::Tensor> before = sample_gradients(1);
    for (std::size_t p = 0; p < 3; ++p) EXPECT_TRUE(gradients[p].equal(before[p])) << tried.json;
  }
}

TEST(OptimizersTest, EveryNameOfAnExperimentIsAnOptimizer) {
  for (const std::string& name : known_optimizers())
    EXPECT_TRUE(make_optimizer({.name = name}, {})) << name;
  const auto unknown = make_optimizer({.name = "lamb"}, {});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("one of sgd, momentum, nesterov, adam"));
}

}  // namespace
}  // namespace lrtune

#include "worker/training/optimizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace lrtune {
namespace {

// Parameters with the same factors take the same step, together: few kernels on a GPU.
struct Group {
  double rate = 1;
  double decay = 1;
  std::vector<std::size_t> members;  // numbers of parameters
  std::vector<std::string> names;
  std::vector<at::Tensor> values;
  std::vector<at::Tensor> velocities;  // empty without momentum
};

std::vector<Group> groups_of(std::span<const Parameter> parameters, double weight_decay,
                             bool velocities) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = parameters[i];
    const double decay = parameter.decay * weight_decay;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& candidate) {
      return candidate.rate == parameter.rate && candidate.decay == decay;
    });
    if (group == groups.end()) {
      group = groups.insert(groups.end(), Group{.rate = parameter.rate, .decay = decay});
    }
    group->members.push_back(i);
    group->names.push_back(parameter.name);
    group->values.push_back(parameter.value.detach());  // the same memory, outside the graph
    if (velocities) group->velocities.push_back(at::zeros_like(group->values.back()));
  }
  return groups;
}

std::vector<at::Tensor> gradients_of(const Group& group, std::span<const at::Tensor> gradients) {
  std::vector<at::Tensor> chosen;
  chosen.reserve(group.members.size());
  for (const std::size_t member : group.members) chosen.push_back(gradients[member]);
  return chosen;
}

class Sgd final : public Optimizer {
 public:
  explicit Sgd(std::vector<Group> groups) : groups_(std::move(groups)) {}

  void step(std::span<const at::Tensor> gradients, double rate, std::int64_t) override {
    const at::NoGradGuard no_graph;
    for (Group& group : groups_) {
      const double eta = rate * group.rate;
      if (group.decay != 0) at::_foreach_mul_(group.values, 1 - eta * group.decay);
      at::_foreach_add_(group.values, gradients_of(group, gradients), -eta);
    }
  }

  std::vector<NamedTensor> state() const override { return {}; }

 private:
  std::vector<Group> groups_;
};

class Momentum final : public Optimizer {
 public:
  Momentum(std::vector<Group> groups, double momentum, MomentumStyle style)
      : groups_(std::move(groups)), momentum_(momentum), style_(style) {}

  void step(std::span<const at::Tensor> gradients, double rate, std::int64_t) override {
    const at::NoGradGuard no_graph;
    const bool paper = style_ == MomentumStyle::kPaper;
    for (Group& group : groups_) {
      const double eta = rate * group.rate;
      const double into_velocity = paper ? -eta : 1;
      at::_foreach_mul_(group.velocities, momentum_);
      if (group.decay != 0)
        at::_foreach_add_(group.velocities, group.values, into_velocity * group.decay);
      at::_foreach_add_(group.velocities, gradients_of(group, gradients), into_velocity);
      at::_foreach_add_(group.values, group.velocities, paper ? 1 : -eta);
    }
  }

  std::vector<NamedTensor> state() const override {
    std::vector<NamedTensor> tensors;
    for (const Group& group : groups_) {
      for (std::size_t i = 0; i < group.members.size(); ++i)
        tensors.push_back({group.names[i] + ".velocity", group.velocities[i]});
    }
    return tensors;
  }

 private:
  std::vector<Group> groups_;
  double momentum_;
  MomentumStyle style_;
};

}  // namespace

Result<std::unique_ptr<Optimizer>> make_optimizer(const OptimizerSpec& spec,
                                                  std::span<const Parameter> parameters) {
  if (spec.name == "sgd")
    return std::make_unique<Sgd>(groups_of(parameters, spec.weight_decay, false));
  if (spec.name == "momentum") {
    return std::make_unique<Momentum>(groups_of(parameters, spec.weight_decay, true), spec.momentum,
                                      spec.style);
  }
  return fail(fmt::format("the optimizer must be one of sgd, momentum, not '{}'", spec.name));
}

}  // namespace lrtune

#include "worker/training/optimizers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "common/policy/portable_math.h"

namespace lrtune {
namespace {

using Tensors = std::vector<at::Tensor>;

// Parameters with the same factors take the same step, together: few kernels on a GPU.
struct Group {
  double rate = 1;
  double decay = 0;                  // the run's times the parameters' factor
  std::vector<std::size_t> members;  // numbers of parameters
  std::vector<std::string> names;
  Tensors values;
  std::vector<Tensors> slots;  // each has one tensor a parameter
};

std::vector<Group> groups_of(std::span<const Parameter> parameters, double weight_decay) {
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
  }
  return groups;
}

// Adds weight decay as L2 does.
Tensors decayed(const Group& group, Tensors gradients) {
  if (group.decay == 0) return gradients;
  return at::_foreach_add(gradients, group.values, group.decay);
}

// mean = keep*mean + (1-keep)*square(gradients)
void average_squares(Tensors& mean, const Tensors& gradients, double keep) {
  at::_foreach_mul_(mean, keep);
  at::_foreach_addcmul_(mean, gradients, gradients, 1 - keep);
}

// sqrt(squares) + eps
Tensors divisor_of(const Tensors& squares, double eps) {
  Tensors divisor = at::_foreach_sqrt(squares);
  at::_foreach_add_(divisor, eps);
  return divisor;
}

class GroupedOptimizer : public Optimizer {
 public:
  // `slots` names the tensors that each parameter keeps from step to step; all start with zeros.
  GroupedOptimizer(const OptimizerSpec& spec, std::span<const Parameter> parameters,
                   std::vector<std::string> slots)
      : spec_(spec),
        slot_names_(std::move(slots)),
        groups_(groups_of(parameters, spec.weight_decay)) {
    for (Group& group : groups_) {
      group.slots.resize(slot_names_.size());
      for (Tensors& slot : group.slots) {
        for (const at::Tensor& value : group.values) slot.push_back(at::zeros_like(value));
      }
    }
  }

  void step(std::span<const at::Tensor> gradients, double rate, std::int64_t iteration) final {
    const at::NoGradGuard no_graph;
    for (Group& group : groups_) {
      Tensors chosen;
      chosen.reserve(group.members.size());
      for (const std::size_t member : group.members) chosen.push_back(gradients[member]);
      step_group(group, std::move(chosen), rate * group.rate, iteration);
    }
  }

  std::vector<NamedTensor> state() const final {
    std::vector<NamedTensor> tensors;
    for (const Group& group : groups_) {
      for (std::size_t i = 0; i < group.members.size(); ++i) {
        for (std::size_t slot = 0; slot < slot_names_.size(); ++slot) {
          tensors.push_back({group.names[i] + "." + slot_names_[slot], group.slots[slot][i]});
        }
      }
    }
    return tensors;
  }

 protected:
  // `gradients` without weight decay; the tensors belong to the caller of step().
  virtual void step_group(Group& group, Tensors gradients, double eta, std::int64_t iteration) = 0;

  const OptimizerSpec& spec() const { return spec_; }
  std::vector<Group>& groups() { return groups_; }

 private:
  const OptimizerSpec spec_;
  const std::vector<std::string> slot_names_;
  std::vector<Group> groups_;
};

class Sgd final : public GroupedOptimizer {
 public:
  Sgd(const OptimizerSpec& spec, std::span<const Parameter> parameters)
      : GroupedOptimizer(spec, parameters, {}) {}

 private:
  void step_group(Group& group, Tensors gradients, double eta, std::int64_t) override {
    if (group.decay != 0) at::_foreach_mul_(group.values, 1 - eta * group.decay);
    at::_foreach_add_(group.values, gradients, -eta);
  }
};

class Momentum final : public GroupedOptimizer {
 public:
  Momentum(const OptimizerSpec& spec, std::span<const Parameter> parameters)
      : GroupedOptimizer(spec, parameters, {"velocity"}) {}

 private:
  void step_group(Group& group, Tensors gradients, double eta, std::int64_t) override {
    const bool paper = spec().style == MomentumStyle::kPaper;
    const double into_velocity = paper ? -eta : 1;
    Tensors& velocity = group.slots[0];
    at::_foreach_mul_(velocity, spec().momentum);
    if (group.decay != 0) {
      at::_foreach_add_(velocity, group.values, into_velocity * group.decay);
    }
    at::_foreach_add_(velocity, gradients, into_velocity);
    at::_foreach_add_(group.values, velocity, paper ? 1 : -eta);
  }
};

class Nesterov final : public GroupedOptimizer {
 public:
  Nesterov(const OptimizerSpec& spec, std::span<const Parameter> parameters)
      : GroupedOptimizer(spec, parameters, {"velocity"}) {}

 private:
  void step_group(Group& group, Tensors gradients, double eta, std::int64_t) override {
    Tensors& velocity = group.slots[0];
    gradients = decayed(group, std::move(gradients));
    at::_foreach_mul_(velocity, spec().momentum);
    at::_foreach_add_(velocity, gradients, 1);
    at::_foreach_add_(group.values, gradients, -eta);
    at::_foreach_add_(group.values, velocity, -eta * spec().momentum);
  }
};

class Adam final : public GroupedOptimizer {
 public:
  Adam(const OptimizerSpec& spec, std::span<const Parameter> parameters)
      : GroupedOptimizer(spec, parameters, {"exp_avg", "exp_avg_sq"}),
        decay_apart_(spec.name == "adamw") {}

 private:
  void step_group(Group& group, Tensors gradients, double eta, std::int64_t iteration) override {
    if (decay_apart_) {
      if (group.decay != 0) at::_foreach_mul_(group.values, 1 - eta * group.decay);
    } else {
      gradients = decayed(group, std::move(gradients));
    }
    Tensors& mean = group.slots[0];
    Tensors& squares = group.slots[1];
    at::_foreach_lerp_(mean, gradients, 1 - spec().beta1);
    average_squares(squares, gradients, spec().beta2);
    // eps is added to the corrected root: sqrt(S)/c + eps.
    Tensors divisor = at::_foreach_sqrt(squares);
    at::_foreach_div_(divisor, std::sqrt(correction(spec().beta2, iteration)));
    at::_foreach_add_(divisor, spec().eps);
    at::_foreach_addcdiv_(group.values, mean, divisor, -eta / correction(spec().beta1, iteration));
  }

  // 1 - beta^n. The C library's pow differs between machines.
  static double correction(double beta, std::int64_t iteration) {
    return beta == 0 ? 1 : 1 - power_of(beta, static_cast<double>(iteration + 1));
  }

  const bool decay_apart_;
};

class Adagrad final : public GroupedOptimizer {
 public:
  Adagrad(const OptimizerSpec& spec, std::span<const Parameter> parameters)
      : GroupedOptimizer(spec, parameters, {"sum"}) {
    for (Group& group : groups()) {
      for (at::Tensor& sum : group.slots[0]) sum.fill_(spec.initial_accumulator_value);
    }
  }

 private:
  void step_group(Group& group, Tensors gradients, double eta, std::int64_t) override {
    gradients = decayed(group, std::move(gradients));
    at::_foreach_addcmul_(group.slots[0], gradients, gradients, 1);
    at::_foreach_addcdiv_(group.values, gradients, divisor_of(group.slots[0], spec().eps), -eta);
  }
};

class RmsProp final : public GroupedOptimizer {
 public:
  RmsProp(const OptimizerSpec& spec, std::span<const Parameter> parameters)
      : GroupedOptimizer(spec, parameters,
                         spec.momentum > 0 ? std::vector<std::string>{"square_avg", "velocity"}
                                           : std::vector<std::string>{"square_avg"}) {}

 private:
  void step_group(Group& group, Tensors gradients, double eta, std::int64_t) override {
    gradients = decayed(group, std::move(gradients));
    average_squares(group.slots[0], gradients, spec().alpha);
    const Tensors divisor = divisor_of(group.slots[0], spec().eps);
    if (spec().momentum > 0) {
      at::_foreach_mul_(group.slots[1], spec().momentum);
      at::_foreach_addcdiv_(group.slots[1], gradients, divisor, 1);
      at::_foreach_add_(group.values, group.slots[1], -eta);
    } else {
      at::_foreach_addcdiv_(group.values, gradients, divisor, -eta);
    }
  }
};

class Adadelta final : public GroupedOptimizer {
 public:
  Adadelta(const OptimizerSpec& spec, std::span<const Parameter> parameters)
      : GroupedOptimizer(spec, parameters, {"square_avg", "acc_delta"}) {}

 private:
  void step_group(Group& group, Tensors gradients, double eta, std::int64_t) override {
    gradients = decayed(group, std::move(gradients));
    average_squares(group.slots[0], gradients, spec().rho);
    Tensors delta = root_of(group.slots[1]);
    at::_foreach_div_(delta, root_of(group.slots[0]));
    at::_foreach_mul_(delta, gradients);
    average_squares(group.slots[1], delta, spec().rho);
    at::_foreach_add_(group.values, delta, -eta);
  }

  // sqrt(values + eps)
  Tensors root_of(const Tensors& values) const {
    Tensors root = at::_foreach_add(values, spec().eps);
    at::_foreach_sqrt_(root);
    return root;
  }
};

}  // namespace

Result<std::unique_ptr<Optimizer>> make_optimizer(const OptimizerSpec& spec,
                                                  std::span<const Parameter> parameters) {
  if (spec.name == "sgd") return std::make_unique<Sgd>(spec, parameters);
  if (spec.name == "momentum") return std::make_unique<Momentum>(spec, parameters);
  if (spec.name == "nesterov") return std::make_unique<Nesterov>(spec, parameters);
  if (spec.name == "adam" || spec.name == "adamw") return std::make_unique<Adam>(spec, parameters);
  if (spec.name == "adagrad") return std::make_unique<Adagrad>(spec, parameters);
  if (spec.name == "rmsprop") return std::make_unique<RmsProp>(spec, parameters);
  if (spec.name == "adadelta") return std::make_unique<Adadelta>(spec, parameters);
  return fail(fmt::format("the optimizer must be one of {}, not '{}'",
                          fmt::join(known_optimizers(), ", "), spec.name));
}

}  // namespace lrtune

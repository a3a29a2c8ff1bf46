#include "tests/support/sim/sim_training.h"

#include <utility>

#include "common/policy/run_rates.h"
#include "common/state_name.h"

namespace lrtune::sim {
namespace {

// A number in [0, 1] out of 20, read from the state's name.
double coarse(const Digest& state, std::size_t byte) { return (state.bytes[byte] % 21) / 20.0; }

MetricPoint measure(const Digest& state, std::int64_t iteration) {
  MetricPoint point;
  point.iteration = iteration;
  point.state = state;
  point.train = {.loss = 2 * coarse(state, 0), .top1 = coarse(state, 1), .top5 = 1};
  point.evaluated = {.loss = 2 * coarse(state, 2), .top1 = coarse(state, 3), .top5 = 1};
  point.train_seconds = 0.25 * static_cast<double>(iteration);
  point.evaluate_seconds = 0.5;
  return point;
}

bool meets(const MetricPoint& point, const Target& target) {
  return target.measure == Measure::kTop1 ? point.evaluated.top1 >= target.value
                                          : point.evaluated.loss <= target.value;
}

}  // namespace

SimRun simulated_run(const TrainingIdentity& identity, const Policy& policy, std::uint64_t seed,
                     const RunPlan& plan) {
  SimRun run;
  RunRates rates(policy);
  const auto end_with = [&](Outcome outcome) {
    run.outcome = std::move(outcome);
    if (policy.reactive()) run.outcome.realised = rates.applied(run.outcome.iteration);
    return run;
  };
  Digest state = initial_state(identity.hash(), seed);
  for (std::int64_t t = 0;; ++t) {
    const bool end = t == plan.iterations;
    if (end || t % plan.evaluate_every == 0) {
      run.points.push_back(measure(state, t));
      MetricPoint& point = run.points.back();
      if (rates.observes(t)) rates.observe(t, value_of(policy.plateau->metric, point));
      point.learning_rate = rates.at(t);
      if (!end && plan.stop_at_target && plan.target && meets(run.points.back(), *plan.target)) {
        return end_with({OutcomeKind::kTargetReached, t, state, "target reached"});
      }
    }
    if (end) break;
    const double rate = rates.at(t);
    if (rate > kDivergeAbove)
      return end_with({OutcomeKind::kDiverged, t, state, "the loss is not finite"});
    state = next_state(state, rate);
  }
  return end_with({OutcomeKind::kCompleted, plan.iterations, state, ""});
}

DataFacts simulated_facts(const TrainSpec& train) {
  DataFacts facts;
  facts.fingerprint = sha256("simulated " + train.dataset.name);
  facts.train_samples = 6000;
  facts.validation_samples = 1000;
  facts.test_samples = 1000;
  facts.classes = 10;
  return facts;
}

Numerics simulated_numerics(const std::string& device) {
  return {"simulated 1", device, device == "cpu" ? "AVX2" : "9.0", 1, "channels_last"};
}

Digest state_at_start(const wire::Assign& assignment) {
  return initial_state(assignment.identity.hash(), assignment.seed);
}

const LrFunction& first_function(const Policy& policy) {
  if (policy.plateau) return policy.plateau->functions[policy.plateau->start];
  return policy.segments.front().function;
}

}  // namespace lrtune::sim

#include "tests/support/sim/sim_training.h"

#include "common/state_name.h"

namespace lrtune::sim {
namespace {

// A number in [0, 1] out of 20, read from the state's name.
double coarse(const Digest& state, std::size_t byte) { return (state.bytes[byte] % 21) / 20.0; }

MetricPoint measure(const Policy& policy, const Digest& state, std::int64_t iteration) {
  MetricPoint point;
  point.iteration = iteration;
  point.state = state;
  point.learning_rate = learning_rate(policy, iteration);
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
  Digest state = initial_state(identity.hash(), seed);
  for (std::int64_t t = 0;; ++t) {
    const bool end = t == plan.iterations;
    if (end || t % plan.evaluate_every == 0) {
      run.points.push_back(measure(policy, state, t));
      if (!end && plan.stop_at_target && plan.target && meets(run.points.back(), *plan.target)) {
        run.outcome = {OutcomeKind::kTargetReached, t, state, "target reached"};
        return run;
      }
    }
    if (end) break;
    const double rate = learning_rate(policy, t);
    if (rate > kDivergeAbove) {
      run.outcome = {OutcomeKind::kDiverged, t, state, "the loss is not finite"};
      return run;
    }
    state = next_state(state, rate);
  }
  run.outcome = {OutcomeKind::kCompleted, plan.iterations, state, ""};
  return run;
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

Digest state_at(const wire::Assign& assignment, std::int64_t iteration) {
  return state_after(initial_state(assignment.identity.hash(), assignment.seed), assignment.policy,
                     0, iteration);
}

}  // namespace lrtune::sim

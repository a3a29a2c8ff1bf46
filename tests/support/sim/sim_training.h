// Simulated training: what a run reports is a function of the states it passes, so every attempt at
// a job reports the same.
#pragma once

#include <cstdint>
#include <vector>

#include "common/training.h"
#include "common/wire/messages.h"

namespace lrtune::sim {

inline constexpr double kDivergeAbove = 1.0;  // learning rate

struct SimRun {
  std::vector<MetricPoint> points;
  Outcome outcome;
};

// All that an undisturbed run of the job reports. An iteration with a learning rate above
// kDivergeAbove has no finite loss. Accuracies are coarse, so that ties are common.
SimRun simulated_run(const TrainingIdentity& identity, const Policy& policy, std::uint64_t seed,
                     const RunPlan& plan);

// The facts that a survey of any data set finds.
DataFacts simulated_facts(const TrainSpec& train);

Numerics simulated_numerics(const std::string& device = "cpu");

// The state that `assignment` starts in.
Digest state_at_start(const wire::Assign& assignment);

// The function that a run with `policy` begins with.
const LrFunction& first_function(const Policy& policy);

}  // namespace lrtune::sim

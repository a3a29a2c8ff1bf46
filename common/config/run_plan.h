// The lengths of an experiment become iterations once the data are known.
#pragma once

#include "common/config/experiment.h"
#include "common/policy/policy_json.h"
#include "common/result.h"
#include "common/training.h"

namespace lrtune {

// The run plan of an experiment for one training specification and its data: epochs become
// ceil(n * train_samples / batch) iterations, the train subset is cut to the training part. Errors:
// the part that the experiment evaluates has no samples, the training part has none.
Result<RunPlan> run_plan_of(const Experiment& experiment, const TrainSpec& train,
                            const DataFacts& data);

// Iterations of the first rung, with that run plan; of a search without rungs, the run's. Errors:
// it is longer than the run.
Result<std::int64_t> first_rung_of(const Experiment& experiment, const RunPlan& plan,
                                   const TrainSpec& train, const DataFacts& data);

// Where segments of a tree search may begin, in iterations, with that run plan: ascending, below
// the run's. Errors: two of them are the same iteration, or the last is the run's end.
Result<std::vector<std::int64_t>> boundaries_of(const Experiment& experiment, const RunPlan& plan,
                                                const TrainSpec& train, const DataFacts& data);

// Iterations before which the median rule stops no run of that plan; 0 if it may at once.
Result<std::int64_t> median_after(const Experiment& experiment, const RunPlan& plan,
                                  const TrainSpec& train, const DataFacts& data);

// What the policies of that run may leave to it.
PolicyContext policy_context_of(const RunPlan& plan, const TrainSpec& train, const DataFacts& data);

}  // namespace lrtune

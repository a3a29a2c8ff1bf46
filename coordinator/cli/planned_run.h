// An experiment's run as far as the file tells it, without a survey of the data.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/config/experiment.h"
#include "common/config/from_range_test.h"
#include "common/policy/policy_json.h"
#include "common/result.h"

namespace lrtune {

struct PlannedRun {
  Experiment experiment;
  TrainSpec train;
  RunPlan plan;
  PolicyContext context;
};

// Reads `file` for its `train` and `run`: of `{from: range-test}` it does not look anything up.
// `train` must hold no domain. Lengths in epochs need a data set whose number of samples is known:
// by `surveyed`, if it is given and knows, or by coordinator/ranking/dataset_profile.h; of others
// the file must give iterations.
using Surveyed = std::function<std::optional<DataFacts>(const TrainSpec&)>;
Result<PlannedRun> planned_run(const std::string& file, const Surveyed& surveyed = {});

// An experiment from YAML text, as experiment_from_yaml(), checked also by what the sizes of
// well-known data sets tell before a campaign is made: the run's length and intervals, and the
// lengths of the first thousand candidates, which may be in epochs. Of other data sets only a
// survey knows.
Result<Experiment> experiment_from_text(const std::string& text, const std::string& file,
                                        const Result<RangeFinding>& range);

}  // namespace lrtune

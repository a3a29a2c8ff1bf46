#include "coordinator/cli/planned_run.h"

#include <fmt/format.h>

#include <utility>

#include "common/config/from_range_test.h"
#include "common/config/run_plan.h"
#include "coordinator/cli/text_file.h"
#include "coordinator/ranking/dataset_profile.h"

namespace lrtune {

Result<PlannedRun> planned_run(const std::string& file, const Surveyed& surveyed) {
  const auto text = read_text_file(file, "an experiment");
  if (!text) return tl::unexpected(text.error());
  auto experiment = experiment_from_yaml(*text, file, kAnyRangeFinding);
  if (!experiment) return tl::unexpected(experiment.error());
  if (!experiment->train.holes.empty()) {
    return fail(
        fmt::format("{}: train has several values at {}; give an experiment of one training", file,
                    experiment->train.holes.front().place.to_string()));
  }
  auto train = train_spec_from_json(experiment->train.tree, "/train");
  if (!train) return fail(fmt::format("{}: {}", file, train.error().message));
  PlannedRun run{*std::move(experiment), *std::move(train), {}, {}};
  std::optional<DataFacts> known = surveyed ? surveyed(run.train) : std::nullopt;
  if (known) known = with_validation(*known, run.train.validation);
  const DatasetProfile* const profile = dataset_profile(run.train.dataset.name);
  if (!known && profile != nullptr) known = facts_of(*profile, run.train.validation);
  if (!known) {
    if (run.experiment.length.iterations == 0) {
      return fail(fmt::format(
          "{}: how many samples {} has is not known here; give run.iterations, not run.epochs",
          file, run.train.dataset.name));
    }
    run.plan.iterations = run.experiment.length.iterations;
    run.context.run_iterations = run.plan.iterations;
    return run;
  }
  const DataFacts& facts = *known;
  auto plan = run_plan_of(run.experiment, run.train, facts);
  if (!plan) return fail(fmt::format("{}: {}", file, plan.error().message));
  run.plan = *std::move(plan);
  run.context = policy_context_of(run.plan, run.train, facts);
  return run;
}

}  // namespace lrtune

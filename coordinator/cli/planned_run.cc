#include "coordinator/cli/planned_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/config/from_range_test.h"
#include "common/config/located_json.h"
#include "common/config/run_plan.h"
#include "common/policy/policy_json.h"
#include "coordinator/cli/text_file.h"
#include "coordinator/ranking/dataset_profile.h"
#include "coordinator/search/search.h"

namespace lrtune {
namespace {

// Of one training: with domains in `train`, each candidate has its own.
Result<void> check_with_known_data(const Experiment& experiment, bool policies_are_known) {
  if (!experiment.train.holes.empty()) return {};
  const auto train = train_spec_from_json(experiment.train.tree, "/train");
  if (!train) return tl::unexpected(train.error());
  const DatasetProfile* const profile = dataset_profile(train->dataset.name);
  if (profile == nullptr) return {};
  const DataFacts facts = facts_of(*profile, train->validation);
  const auto plan = run_plan_of(experiment, *train, facts);
  if (!plan) return tl::unexpected(plan.error());
  // A tree has boundaries in the place of rungs, and composes its candidates as it goes.
  if (experiment.method == SearchMethod::kTree) return {};
  if (auto rung = first_rung_of(experiment, *plan, *train, facts); !rung)
    return tl::unexpected(rung.error());
  if (!policies_are_known) return {};
  constexpr std::int64_t kLookedAt = 1000;
  const PolicyContext context = policy_context_of(*plan, *train, facts);
  const std::int64_t count = std::min(candidate_count(experiment).value_or(0), kLookedAt);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto policy =
        policy_from_json(candidate_policy(experiment, i), context, "/search/policies");
    if (!policy) {
      return fail(fmt::format("candidate {}: {}", i, policy.error().message), policy.error().path);
    }
  }
  return {};
}

}  // namespace

Result<Experiment> experiment_from_text(const std::string& text, const std::string& file,
                                        const Result<RangeFinding>& range) {
  auto experiment = experiment_from_yaml(text, file, range);
  if (!experiment) return experiment;
  const auto good = check_with_known_data(*experiment, !takes_range_test(text));
  if (good) return experiment;
  const auto located = located_json_from_yaml(text, file);
  return tl::unexpected(located ? located->located(good.error()) : good.error());
}

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

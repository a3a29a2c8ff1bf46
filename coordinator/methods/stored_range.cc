#include "coordinator/methods/stored_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/config/run_plan.h"
#include "coordinator/methods/range_test_plan.h"

namespace lrtune {
namespace {

// What must be alike. Neither where it is computed nor how exactly changes which rates are good.
nlohmann::json training_of(const nlohmann::json& experiment) {
  nlohmann::json train = experiment.at("train");
  for (const char* key : {"device", "threads", "inexact"}) train.erase(key);
  return train;
}

// For a run as `experiment` has it.
RangeFinding finding_of(double lower, double upper, std::int64_t iterations,
                        const TrainingIdentity& identity) {
  const std::int64_t epoch =
      (identity.data.train_samples + identity.train.batch - 1) / identity.train.batch;
  const ParameterEstimate estimate = estimate_parameters(
      lower, upper, std::max<std::int64_t>(2, iterations), std::max<std::int64_t>(1, epoch));
  const std::int64_t shortest = std::max<std::int64_t>(1, estimate.half_cycle_low);
  return {.lower = lower,
          .upper = upper,
          .gamma = 1 - four_digits(1 - estimate.gamma),
          .half_cycle = estimate.half_cycle,
          .half_cycle_low = shortest,
          .half_cycle_high = std::max(estimate.half_cycle_high, shortest)};
}

Result<StoredRange> range_of(const StoredState& stored, const CampaignRecord& campaign,
                             const Experiment& test, const RangeTestSettings& settings,
                             const Experiment& experiment) {
  const auto results = collect_results(stored, campaign.hash);
  if (!results) return tl::unexpected(results.error());
  const auto identity = identity_of(stored, *results);
  if (!identity) return tl::unexpected(identity.error());
  const auto report = range_report(test, settings, *results, *identity);
  if (!report) return tl::unexpected(report.error());
  for (const auto& [name, bound] :
       {std::pair("lower", &report->range.lower), std::pair("upper", &report->range.upper)}) {
    if (bound->why == CannotTell::kCanTell) continue;
    return fail(fmt::format("the range test {} (campaign {}) cannot tell the {} bound: {}",
                            campaign.name, campaign.id.value, name, words(bound->why)));
  }
  const auto run = run_plan_of(experiment, identity->train, identity->data);
  if (!run) return tl::unexpected(run.error());
  const RangeFinding found =
      finding_of(four_digits(report->range.lower.rate), four_digits(report->range.upper.rate),
                 run->iterations, *identity);
  return StoredRange{found, run->iterations, campaign.id, campaign.name, campaign.hash};
}

}  // namespace

std::vector<MeasuredRange> measured_ranges(const StoredState& stored) {
  std::vector<MeasuredRange> ranges;
  for (auto campaign = stored.campaigns.rbegin(); campaign != stored.campaigns.rend(); ++campaign) {
    if (campaign->state != CampaignState::kDone) continue;
    const auto test = experiment_from_json(campaign->experiment);
    if (!test) continue;
    const auto settings = range_test_settings(*test);
    if (!settings) continue;
    const auto results = collect_results(stored, campaign->hash);
    if (!results) continue;
    const auto identity = identity_of(stored, *results);
    if (!identity) continue;
    const auto report = range_report(*test, *settings, *results, *identity);
    if (report) ranges.push_back({campaign->id, campaign->name, identity->train, report->range});
  }
  return ranges;
}

Error no_range_test(const std::string& command) {
  return {fmt::format("the store has no range test of this training; run `{}` first", command)};
}

Result<StoredRange> stored_range(const StoredState& stored, const Experiment& experiment,
                                 const std::string& command) {
  if (!experiment.train.holes.empty())
    return fail("train holds domains, and a range test is of one way of training");
  const nlohmann::json training = training_of(experiment.normalised);
  std::optional<Error> refusal;  // of the newest
  for (auto campaign = stored.campaigns.rbegin(); campaign != stored.campaigns.rend(); ++campaign) {
    if (campaign->state != CampaignState::kDone || training_of(campaign->experiment) != training)
      continue;
    const auto test = experiment_from_json(campaign->experiment);
    if (!test) continue;
    const auto settings = range_test_settings(*test);
    if (!settings) continue;
    auto found = range_of(stored, *campaign, *test, *settings, experiment);
    if (found) return found;
    if (!refusal) refusal = found.error();
  }
  return tl::unexpected(refusal.value_or(no_range_test(command)));
}

}  // namespace lrtune

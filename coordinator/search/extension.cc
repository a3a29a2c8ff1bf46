#include "coordinator/search/extension.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/config/located_json.h"

namespace lrtune {
namespace {

Result<void> extend_length(nlohmann::json& normal, const Experiment& experiment,
                           const RunLength& length) {
  const bool in_epochs = experiment.length.epochs > 0;
  if (length == RunLength{}) return {};
  if (experiment.stop.any()) {
    return fail(
        "its runs cannot be made longer: what its stop rules ended was judged by the shorter ones; "
        "submit another experiment, which takes over what is trained");
  }
  if (in_epochs != (length.epochs > 0)) {
    return fail(fmt::format("its runs are counted in {}: give their new length in these",
                            in_epochs ? "epochs" : "iterations"));
  }
  if (in_epochs ? length.epochs < experiment.length.epochs
                : length.iterations < experiment.length.iterations) {
    return fail(in_epochs ? fmt::format("its runs have {} epochs already, {} are fewer",
                                        experiment.length.epochs, length.epochs)
                          : fmt::format("its runs have {} iterations already, {} are fewer",
                                        experiment.length.iterations, length.iterations));
  }
  if (in_epochs) {
    normal["run"]["epochs"] = length.epochs;
  } else {
    normal["run"]["iterations"] = length.iterations;
  }
  return {};
}

Result<void> extend_count(nlohmann::json& normal, const Experiment& experiment,
                          std::int64_t count) {
  if (count == 0) return {};
  if (!draws(experiment.method)) {
    return fail(
        fmt::format("only a random or sobol search has a count of candidates; this one is a {}",
                    name_of(experiment.method)));
  }
  if (count < experiment.count) {
    return fail(fmt::format("it has {} candidates already, {} are fewer", experiment.count, count));
  }
  normal["search"]["count"] = count;
  return {};
}

Result<void> extend_policies(nlohmann::json& normal, const Experiment& experiment,
                             const std::string& text) {
  if (text.empty()) return {};
  if (draws(experiment.method)) {
    return fail(fmt::format(
        "policies cannot be added to a {} search, whose earlier draws they would change; "
        "give it a larger count, or submit another experiment",
        name_of(experiment.method)));
  }
  const auto list = yaml_to_json(text, "policies");
  if (!list) return tl::unexpected(list.error());
  if (!list->is_array() || list->empty())
    return fail("policies must be a list in the form of search.policies");
  nlohmann::json& policies = normal["search"]["policies"];
  for (const nlohmann::json& policy : *list) policies.push_back(policy);
  return {};
}

// Policies that were there already, in their normal form, are added once.
Result<Experiment> without_doubles(const Experiment& before, const Experiment& after) {
  nlohmann::json normal = after.normalised;
  nlohmann::json& policies = normal["search"]["policies"];
  nlohmann::json kept = before.normalised["search"]["policies"];
  for (std::size_t i = kept.size(); i < policies.size(); ++i) {
    if (std::find(kept.begin(), kept.end(), policies[i]) == kept.end()) kept.push_back(policies[i]);
  }
  if (kept.size() == policies.size()) return after;
  policies = std::move(kept);
  return experiment_from_json(normal);
}

}  // namespace

Result<Experiment> extended(const Experiment& experiment, const Extension& extension) {
  if (decides_by_results(experiment.method)) {
    return fail(fmt::format(
        "a campaign of method {} cannot be extended: what it has decided would not follow from "
        "the longer search; submit another experiment, which takes over what is trained",
        name_of(experiment.method)));
  }
  nlohmann::json normal = experiment.normalised;
  if (auto done = extend_length(normal, experiment, extension.length); !done)
    return tl::unexpected(done.error());
  if (auto done = extend_count(normal, experiment, extension.count); !done)
    return tl::unexpected(done.error());
  if (auto done = extend_policies(normal, experiment, extension.policies); !done)
    return tl::unexpected(done.error());
  auto after = experiment_from_json(normal);
  if (!after) return after;
  return without_doubles(experiment, *after);
}

}  // namespace lrtune

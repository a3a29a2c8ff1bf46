#include "coordinator/methods/compose_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "common/config/run_plan.h"
#include "common/hash.h"
#include "common/policy/policy_json.h"
#include "coordinator/methods/generation.h"
#include "coordinator/ranking/dataset_profile.h"

namespace lrtune {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 14> kFunctions = {
    "fix",    "step", "exp",  "inv",    "poly", "tri",  "tri2",
    "triexp", "sin",  "sin2", "sinexp", "cos",  "cos2", "cosexp"};
constexpr double kLowest = 100;  // so many times below the range the last segments may go

double rounded(double value) { return std::stod(fmt::format("{:.3e}", value)); }

std::vector<std::string> functions_of(const ComposeSettings& settings) {
  return settings.functions.empty() ? default_functions(settings.method) : settings.functions;
}

// Half cycles that fit a segment of `stretch` iterations twice over, at least once.
std::pair<std::int64_t, std::int64_t> half_cycles(const ParameterEstimate& rates,
                                                  std::int64_t stretch) {
  const std::int64_t longest =
      std::clamp<std::int64_t>(rates.half_cycle_high, 1, std::max<std::int64_t>(1, stretch / 2));
  return {std::clamp<std::int64_t>(rates.half_cycle_low, 1, longest), longest};
}

json between(std::int64_t low, std::int64_t high) {
  return low < high ? json{{"int", {low, high}}} : json(low);
}

// `name` at a height of the range: rates times `scale`, for segments of `stretch` iterations.
json segment_template(const std::string& name, const ComposeRange& range, double scale,
                      std::int64_t stretch) {
  const ParameterEstimate& rates = range.rates;
  const double low = rounded(rates.k0 * scale);
  const double high = rounded(rates.k1 * scale);
  const json top = {{"log", {rounded(rates.fixed * scale), high}}};
  json entry = {{"function", name}, {"k0", top}};
  if (name == "fix") {
    entry["k0"] = {{"log", {low, high}}};
  } else if (name == "poly") {
    entry["p"] = {{"uniform", {0.8, 2.0}}};
  } else if (name == "exp") {
    entry["gamma"] = std::min(rates.gamma, 0.999999);
  } else if (name == "inv") {
    entry["gamma"] = {{"log",
                       {rounded(1.0 / static_cast<double>(range.iterations)),
                        rounded(100.0 / static_cast<double>(range.iterations))}}};
    entry["p"] = 0.75;
  } else if (name == "step") {
    entry["gamma"] = {{"uniform", {0.1, 0.9}}};
    entry["l"] =
        between(std::max<std::int64_t>(1, stretch / 8), std::max<std::int64_t>(1, stretch / 2));
  } else {
    const auto [shortest, longest] = half_cycles(rates, stretch);
    entry["k0"] = low;
    entry["k1"] = top;
    entry["l"] = between(shortest, longest);
    if (name.ends_with("exp")) entry["gamma"] = std::min(rates.gamma, 0.999999);
  }
  return entry;
}

// One of a controller's list, with the highest rate `rate`.
json plateau_function(const std::string& name, const ComposeRange& range, double rate) {
  const ParameterEstimate& rates = range.rates;
  json function = {{"function", name}, {"k0", rate}};
  if (name == "fix") return function;
  if (name == "poly") {
    function["p"] = 1.0;
    function["l"] = range.iterations;
  } else if (name == "exp") {
    function["gamma"] = std::min(rates.gamma, 0.999999);
  } else if (name == "inv") {
    function["gamma"] = rounded(10.0 / static_cast<double>(range.iterations));
    function["p"] = 0.75;
  } else if (name == "step") {
    function["gamma"] = 0.5;
    function["l"] = std::max<std::int64_t>(1, range.iterations / 8);
  } else {
    function["k0"] = rounded(rate * rates.k0 / rates.k1);
    function["k1"] = rate;
    function["l"] = std::max<std::int64_t>(1, rates.half_cycle);
    if (name.ends_with("exp")) function["gamma"] = std::min(rates.gamma, 0.999999);
  }
  return function;
}

json controller(const std::string& name, const ComposeSettings& settings,
                const ComposeRange& range) {
  const double highest = range.rates.k1;
  const double lowest = range.rates.k0 / kLowest;
  json list = json::array();
  std::size_t start = 0;
  double nearest = std::numeric_limits<double>::infinity();
  for (int i = 0; i < settings.tries; ++i) {
    const double share = static_cast<double>(i) / (settings.tries - 1);
    const double rate = rounded(highest * std::pow(lowest / highest, share));
    const double off = std::abs(std::log(rate / range.rates.fixed));
    if (off < nearest) start = list.size();
    nearest = std::min(nearest, off);
    list.push_back(plateau_function(name, range, rate));
  }
  return {{"name", "plateau " + name},
          {"controller", "plateau"},
          {"functions", std::move(list)},
          {"start", start}};
}

json tree_search(const ComposeSettings& settings, const ComposeRange& range) {
  json search = {{"method", "tree"}, {"tries", settings.tries}, {"draw", "sobol"}};
  std::int64_t stretch = 0;
  if (settings.method == ComposeMethod::kDynamic) {
    stretch =
        settings.every > 0 ? settings.every : std::max<std::int64_t>(1, range.iterations / 10);
    search["boundaries"] = {{"every", stretch}};
    search["keep"] = 1;
  } else {
    std::vector<std::int64_t> boundaries = settings.boundaries;
    for (int i = 1; boundaries.size() + 1 < static_cast<std::size_t>(settings.segments) &&
                    settings.boundaries.empty();
         ++i)
      boundaries.push_back(range.iterations * i / settings.segments);
    stretch = range.iterations - boundaries.back();
    std::int64_t before = 0;
    for (const std::int64_t boundary : boundaries) {
      stretch = std::min(stretch, boundary - before);
      before = boundary;
    }
    search["boundaries"] = boundaries;
    search["keep"] = settings.keep;
  }
  json policies = json::array();
  for (const double scale : {1.0, 0.1, 0.01}) {
    for (const std::string& name : functions_of(settings))
      policies.push_back(segment_template(name, range, scale, std::max<std::int64_t>(1, stretch)));
  }
  search["policies"] = std::move(policies);
  return search;
}

json plateau_search(const ComposeSettings& settings, const ComposeRange& range) {
  json policies = json::array();
  for (const std::string& name : functions_of(settings))
    policies.push_back(controller(name, settings, range));
  return {{"method", "list"}, {"policies", std::move(policies)}};
}

// `experiment` without what its own search said.
json derived(const Experiment& experiment, const char* suffix, json search) {
  json made = experiment.normalised;
  made["name"] = derived_name(experiment.name, suffix);
  made["run"]["stop_at_target"] = false;
  made["search"] = std::move(search);
  made.erase("verify");
  made.erase("tolerance");
  return made;
}

Error option_error(std::string_view option, const std::string& message) {
  return {fmt::format("{}: {}", option, message)};
}

Result<void> check_boundaries(const ComposeSettings& settings,
                              std::optional<std::int64_t> iterations) {
  const auto& boundaries = settings.boundaries;
  if (!boundaries.empty()) {
    const bool ascending =
        std::ranges::adjacent_find(boundaries, std::greater_equal<>()) == boundaries.end();
    if (boundaries.front() < 1 || !ascending)
      return tl::unexpected(option_error("--boundaries", "must be above 0 and ascending"));
    if (iterations && boundaries.back() >= *iterations) {
      return tl::unexpected(option_error(
          "--boundaries", fmt::format("must lie below the run's {} iterations", *iterations)));
    }
  } else if (iterations && settings.segments > *iterations) {
    return tl::unexpected(
        option_error("--segments", fmt::format("the run has {} iterations", *iterations)));
  }
  if (settings.method == ComposeMethod::kDynamic && iterations &&
      2 * std::max<std::int64_t>(1, settings.every) > *iterations) {
    return tl::unexpected(option_error(
        "--every",
        fmt::format("must be at most half of the run's {} iterations (section 5.4)", *iterations)));
  }
  return {};
}

}  // namespace

std::string_view name_of(ComposeMethod method) {
  switch (method) {
    case ComposeMethod::kTree:
      return "tree";
    case ComposeMethod::kDynamic:
      return "dynamic";
    case ComposeMethod::kPlateau:
      break;
  }
  return "plateau";
}

std::vector<std::string> default_functions(ComposeMethod method) {
  if (method == ComposeMethod::kPlateau) return {"fix"};
  return {"fix", "poly", "tri", "sin2"};
}

std::optional<std::int64_t> planned_iterations(const Experiment& experiment) {
  if (experiment.length.iterations > 0) return experiment.length.iterations;
  const auto train = train_spec_from_json(experiment.train.tree, "/train");
  if (!train) return std::nullopt;
  const DatasetProfile* const profile = dataset_profile(train->dataset.name);
  if (profile == nullptr) return std::nullopt;
  const auto plan = run_plan_of(experiment, *train, facts_of(*profile, train->validation));
  if (!plan) return std::nullopt;
  return plan->iterations;
}

Result<void> check_settings(const Experiment& experiment, const ComposeSettings& settings) {
  if (!experiment.train.holes.empty()) {
    return fail(fmt::format("train has several values at {}: a policy is composed for one training",
                            experiment.train.holes.front().place.to_string()));
  }
  if (experiment.rank_by != RankBy::kTop1 && experiment.rank_by != RankBy::kLoss) {
    return fail(fmt::format("rank.by is {}: paths are composed by top1 or loss",
                            name_of(experiment.rank_by)));
  }
  if (experiment.max_seconds) {
    return fail(
        "run.max_seconds: how far a path comes must not depend on the machine; leave it out");
  }
  for (const std::string& name : settings.functions) {
    if (std::ranges::find(kFunctions, name) == kFunctions.end()) {
      return tl::unexpected(option_error(
          "--functions", fmt::format("'{}' is none of {}", name, fmt::join(kFunctions, ", "))));
    }
    if (std::ranges::count(settings.functions, name) > 1)
      return tl::unexpected(option_error("--functions", fmt::format("'{}' stands twice", name)));
  }
  return check_boundaries(settings, planned_iterations(experiment));
}

Result<Experiment> composing_experiment(const Experiment& experiment,
                                        const ComposeSettings& settings,
                                        const ComposeRange& range) {
  if (auto good = check_boundaries(settings, range.iterations); !good)
    return tl::unexpected(good.error());
  const bool by_controller = settings.method == ComposeMethod::kPlateau;
  return experiment_from_json(
      derived(experiment, "-compose",
              by_controller ? plateau_search(settings, range) : tree_search(settings, range)));
}

namespace {

// The whole runs that ended well, best first.
std::vector<const PolicyResult*> whole_runs(const CampaignResults& search) {
  std::vector<const PolicyResult*> top = search.top(search.policies.size());
  std::int64_t longest = 0;
  for (const PolicyResult* one : top)
    longest = std::max(longest, one->search.trial.plan.iterations);
  std::erase_if(top, [&](const PolicyResult* one) {
    return one->search.trial.plan.iterations < longest || one->search.applied().segments.empty();
  });
  return top;
}

}  // namespace

std::optional<Policy> composite_of(const CampaignResults& search) {
  const auto whole = whole_runs(search);
  if (whole.empty()) return std::nullopt;
  return whole.front()->search.applied();
}

std::vector<json> rivals_of(const CampaignResults& search, const ComposeSettings& settings,
                            const ComposeRange& range, std::uint64_t seed,
                            std::span<const json> against) {
  std::vector<json> rivals;
  const auto composite = composite_of(search);
  const auto add = [&](json policy) {
    if (std::ranges::find(rivals, policy) == rivals.end()) rivals.push_back(std::move(policy));
  };
  for (const PolicyResult* path : whole_runs(search)) {
    if (rivals.size() >= static_cast<std::size_t>(settings.keep)) break;
    const Segment& first = path->search.applied().segments.front();
    const Policy alone{{{first.function, kNoEnd, first.from_t}}};
    if (alone != composite) add(to_json(alone));
  }
  if (settings.singles > 0) {
    // The first is a composite, which is not meant here.
    const auto drawn =
        generated_policies(range.rates, range.iterations, seed, settings.singles + 1);
    for (std::size_t i = 1; i < drawn.size(); ++i) add(drawn[i]);
  }
  for (const json& policy : against) add(policy);
  return rivals;
}

std::string output_name(const Experiment& experiment, const ComposeSettings& settings,
                        std::span<const json> against) {
  const json asked = {experiment.normalised,
                      functions_of(settings),
                      settings.segments,
                      settings.boundaries,
                      settings.every,
                      settings.tries,
                      settings.keep,
                      settings.singles,
                      settings.repeats,
                      settings.low.value_or(0),
                      settings.high.value_or(0),
                      json(against)};
  return fmt::format("{}-{}-{}", derived_name(experiment.name, "-compose"),
                     name_of(settings.method), sha256(asked.dump()).hex().substr(0, 8));
}

Result<Experiment> composed_experiment(const Experiment& experiment,
                                       const ComposeSettings& settings, const Policy& composite,
                                       std::span<const json> rivals) {
  constexpr int kRepeated = 4;  // as verification: it and the best three of the others
  json first = to_json(composite);
  first["name"] = "composed";
  json policies = json::array({std::move(first)});
  for (const json& rival : rivals) policies.push_back(rival);
  json made = derived(experiment, "-composed", {{"method", "list"}, {"policies", policies}});
  if (settings.repeats > 0) made["verify"] = {{"top", kRepeated}, {"repeats", settings.repeats}};
  return experiment_from_json(made);
}

}  // namespace lrtune

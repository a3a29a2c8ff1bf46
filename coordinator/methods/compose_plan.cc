#include "coordinator/methods/compose_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "common/config/located_json.h"
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
  const double low = four_digits(rates.k0 * scale);
  const double high = four_digits(rates.k1 * scale);
  const json top = rates_between(rates.fixed * scale, high);
  json entry = {{"function", name}, {"k0", top}};
  if (name == "fix") {
    entry["k0"] = rates_between(low, high);
  } else if (name == "poly") {
    entry["p"] = {{"uniform", {0.8, 2.0}}};
  } else if (name == "exp") {
    entry["gamma"] = std::min(rates.gamma, 0.999999);
  } else if (name == "inv") {
    const auto length = static_cast<double>(range.iterations);
    entry["gamma"] = rates_between(1.0 / length, 100.0 / length);
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
    function["gamma"] = four_digits(10.0 / static_cast<double>(range.iterations));
    function["p"] = 0.75;
  } else if (name == "step") {
    function["gamma"] = 0.5;
    function["l"] = std::max<std::int64_t>(1, range.iterations / 8);
  } else {
    function["k0"] = four_digits(rate * rates.k0 / rates.k1);
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
    const double rate = four_digits(highest * std::pow(lowest / highest, share));
    const double off = std::abs(std::log(rate / range.rates.fixed));
    if (off < nearest) start = list.size();
    nearest = std::min(nearest, off);
    list.push_back(plateau_function(name, range, rate));
  }
  json made = settings.plateau;
  made.update({{"name", "plateau " + name},
               {"controller", "plateau"},
               {"functions", std::move(list)},
               {"start", start}});
  return made;
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

// `experiment` without what its own search said, and with the length in iterations, in which
// boundaries are.
json derived(const Experiment& experiment, const char* suffix, json search,
             std::int64_t iterations) {
  json made = experiment.normalised;
  made["name"] = derived_name(experiment.name, suffix);
  made["run"].erase("epochs");
  made["run"]["iterations"] = iterations;
  made["run"]["stop_at_target"] = false;
  made["search"] = std::move(search);
  made["rank"]["by"] = name_of(composed_by(experiment));
  made.erase("verify");
  made.erase("tolerance");
  return made;
}

Error option_error(std::string_view option, const std::string& message) {
  return {fmt::format("{}: {}", option, message)};
}

Result<void> check_boundaries(const ComposeSettings& settings, std::int64_t iterations) {
  const auto& boundaries = settings.boundaries;
  if (iterations < 2) return fail("the run has one iteration: there is nothing to compose");
  if (settings.method == ComposeMethod::kDynamic &&
      2 * std::max<std::int64_t>(1, settings.every) > iterations) {
    return tl::unexpected(option_error(
        "--every",
        fmt::format("must be at most half of the run's {} iterations (section 5.4)", iterations)));
  }
  if (settings.method != ComposeMethod::kTree) return {};
  if (!boundaries.empty()) {
    const bool ascending =
        std::ranges::adjacent_find(boundaries, std::greater_equal<>()) == boundaries.end();
    if (boundaries.front() < 1 || !ascending)
      return tl::unexpected(option_error("--boundaries", "must be above 0 and ascending"));
    if (boundaries.back() >= iterations) {
      return tl::unexpected(option_error(
          "--boundaries", fmt::format("must lie below the run's {} iterations", iterations)));
    }
  } else if (settings.segments > iterations) {
    return tl::unexpected(
        option_error("--segments", fmt::format("the run has {} iterations, fewer than {} segments",
                                               iterations, settings.segments)));
  }
  return {};
}

// An error about the search, which the user did not write, by the option that it comes from.
Error by_its_option(const Error& error, const ComposeSettings& settings) {
  const bool tree = settings.method == ComposeMethod::kTree;
  const std::array<std::pair<std::string_view, std::string_view>, 4> options = {{
      {"/search/boundaries", !tree                         ? "--every"
                             : settings.boundaries.empty() ? "--segments"
                                                           : "--boundaries"},
      {"/search/tries", "--tries"},
      {"/search/keep", "--keep"},
      {"/search/policies",
       settings.method == ComposeMethod::kPlateau ? "--method plateau, --tries" : "--functions"},
  }};
  for (auto [path, option] : options) {
    if (!error.path.starts_with(path)) continue;
    for (const std::string_view own : {"--window", "--threshold", "--cooldown", "--metric"}) {
      if (error.path.ends_with(std::string("/").append(own.substr(2)))) option = own;
    }
    std::string message = error.message;
    const std::string words = fmt::format(" ({})", key_words(error.path));
    if (message.ends_with(words)) message.resize(message.size() - words.size());
    return option_error(option, message);
  }
  return error;
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
  if (experiment.max_seconds) {
    return fail(
        "run.max_seconds: how far a path comes must not depend on the machine; leave it out");
  }
  if (settings.low.has_value() != settings.high.has_value())
    return fail("give both of --low and --high, or none");
  if (settings.low && !(kLeastRate <= *settings.low && *settings.low < *settings.high &&
                        *settings.high <= kMostRate)) {
    return fail(fmt::format("--low and --high: {} <= {} < {} <= {} does not hold", kLeastRate,
                            *settings.low, *settings.high, kMostRate));
  }
  for (const std::string& name : settings.functions) {
    if (std::ranges::find(kFunctions, name) == kFunctions.end()) {
      return tl::unexpected(option_error(
          "--functions", fmt::format("'{}' is none of {}", name, fmt::join(kFunctions, ", "))));
    }
    if (std::ranges::count(settings.functions, name) > 1)
      return tl::unexpected(option_error("--functions", fmt::format("'{}' stands twice", name)));
  }
  // What a range changes are rates; where the length shows with the data alone, one that is long.
  constexpr std::int64_t kLong = 1'000'000;
  const auto iterations = planned_iterations(experiment);
  const bool by_length = settings.method == ComposeMethod::kDynamic || !settings.boundaries.empty();
  if (!iterations && by_length) return {};
  const std::int64_t length = iterations.value_or(kLong);
  if (auto good = check_boundaries(settings, length); !good) return good;
  const double low = settings.low.value_or(0.001);
  const double high = settings.high.value_or(0.01);
  const ComposeRange any{
      estimate_parameters(low, high, length, std::max<std::int64_t>(1, length / 8)),
      length,
      {},
      {}};
  const auto made = composing_experiment(experiment, settings, any);
  if (!made) return tl::unexpected(made.error());
  return {};
}

RankBy composed_by(const Experiment& experiment) {
  return experiment.rank_by == RankBy::kLoss ? RankBy::kLoss : RankBy::kTop1;
}

Result<Experiment> composing_experiment(const Experiment& experiment,
                                        const ComposeSettings& settings,
                                        const ComposeRange& range) {
  if (auto good = check_boundaries(settings, range.iterations); !good)
    return tl::unexpected(good.error());
  const bool by_controller = settings.method == ComposeMethod::kPlateau;
  auto made = experiment_from_json(
      derived(experiment, "-compose",
              by_controller ? plateau_search(settings, range) : tree_search(settings, range),
              range.iterations));
  if (!made) return tl::unexpected(by_its_option(made.error(), settings));
  return made;
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
  // Lengths in epochs can not be told here: such a policy is another one.
  const PolicyContext context{.run_iterations = range.iterations};
  std::vector<Policy> known;
  if (composite) known.push_back(*composite);
  const auto add = [&](json policy) {
    const auto read = policy_from_json(policy, context);
    if (read && std::ranges::find(known, *read) != known.end()) return;
    if (read) known.push_back(*read);
    rivals.push_back(std::move(policy));
  };
  for (const PolicyResult* path : whole_runs(search)) {
    if (rivals.size() >= static_cast<std::size_t>(settings.keep)) break;
    const Segment& first = path->search.applied().segments.front();
    const Policy alone{{{first.function, kNoEnd, first.from_t}}};
    add(to_json(alone));
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
                      settings.plateau,
                      json(against)};
  return fmt::format("{}-{}-{}", derived_name(experiment.name, "-compose"),
                     name_of(settings.method), sha256(asked.dump()).hex().substr(0, 8));
}

Result<Experiment> composed_experiment(const Experiment& experiment,
                                       const ComposeSettings& settings, std::int64_t iterations,
                                       const Policy& composite, std::span<const json> rivals) {
  constexpr int kRepeated = 4;  // as verification: it and the best three of the others
  json first = to_json(composite);
  first["name"] = "composed";
  json policies = json::array({std::move(first)});
  for (const json& rival : rivals) policies.push_back(rival);
  json made =
      derived(experiment, "-composed", {{"method", "list"}, {"policies", policies}}, iterations);
  if (settings.repeats > 0) made["verify"] = {{"top", kRepeated}, {"repeats", settings.repeats}};
  return experiment_from_json(made);
}

}  // namespace lrtune

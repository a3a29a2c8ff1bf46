#include "coordinator/methods/range_test_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <utility>

#include "common/config/length_reader.h"
#include "common/config/run_plan.h"
#include "coordinator/report/text_table.h"

namespace lrtune {
namespace {

// The lengths in units of the shortest one: 1, 2, 4 ...
Result<std::vector<std::int64_t>> multiples(const RangeTestSettings& settings) {
  if (settings.epochs.empty() == settings.iterations.empty())
    return fail("give --epochs or --iterations, one of them");
  std::vector<double> lengths = settings.epochs;
  for (const std::int64_t length : settings.iterations)
    lengths.push_back(static_cast<double>(length));
  const char* option = settings.epochs.empty() ? "--iterations" : "--epochs";
  std::vector<std::int64_t> found;
  for (const double length : lengths) {
    const double times = length / lengths.front();
    if (!(length > 0) || std::abs(times - std::round(times)) > 1e-9 ||
        (!found.empty() && std::llround(times) <= found.back())) {
      return fail(
          fmt::format("{}: lengths must be above 0, ascending and multiples of the first: "
                      "{} is not",
                      option, length));
    }
    found.push_back(std::llround(times));
  }
  return found;
}

Result<void> check(const RangeTestSettings& settings) {
  if (!(settings.low >= kLeastRate && settings.low < settings.high && settings.high <= kMostRate)) {
    return fail(fmt::format("--low and --high: {} <= {} < {} <= {} does not hold", kLeastRate,
                            settings.low, settings.high, kMostRate));
  }
  if (settings.rates < 3) return fail("--rates must be 3 or more");
  if (const auto grid = rate_grid(settings); std::ranges::adjacent_find(grid) != grid.end()) {
    return fail(fmt::format("--rates: {} between {} and {} are the same in seven digits",
                            settings.rates, settings.low, settings.high));
  }
  for (const std::int64_t iterations : settings.iterations) {
    if (iterations > kMostIterations)
      return fail(
          fmt::format("--iterations must be at most {}, not {}", kMostIterations, iterations));
  }
  if (settings.seeds < 1) return fail("--seeds must be 1 or more");
  return {};
}

// Accuracy of each length, by multiple; the last one where the run ends.
std::map<std::int64_t, double> accuracies(const TrialResult& run,
                                          const std::vector<std::int64_t>& lengths) {
  std::map<std::int64_t, double> found;
  if (!run.scores.ended_well) return found;
  for (const MetricPoint& point : run.points) {
    if (point.iteration % run.trial.plan.evaluate_every == 0)
      found[point.iteration / run.trial.plan.evaluate_every] = point.evaluated.top1;
  }
  if (!run.points.empty()) found[lengths.back()] = run.points.back().evaluated.top1;
  return found;
}

// Accuracies by seed and rate.
using Measured = std::map<std::uint32_t, std::map<std::size_t, std::map<std::int64_t, double>>>;

Measured measured(const std::vector<double>& rates, const CampaignResults& results,
                  const std::vector<std::int64_t>& lengths) {
  Measured found;
  for (const PolicyResult& policy : results.policies) {
    const double rate = policy.search.trial.policy.segments.front().function.k0;
    const auto place = std::ranges::find(rates, rate);
    if (place == rates.end()) continue;
    const auto index = static_cast<std::size_t>(place - rates.begin());
    found[0][index] = accuracies(policy.search, lengths);
    for (const TrialResult& repeat : policy.repeats)
      found[repeat.trial.repeat][index] = accuracies(repeat, lengths);
  }
  return found;
}

std::string_view code(CannotTell why) {
  switch (why) {
    case CannotTell::kNothingLearned:
      return "nothing_learned";
    case CannotTell::kOutsideGrid:
      return "outside_grid";
    case CannotTell::kSeedsDisagree:
      return "seeds_disagree";
    case CannotTell::kTooCoarse:
      return "too_coarse";
    case CannotTell::kCanTell:
      break;
  }
  return "can_tell";
}

std::string bound_line(const char* name, const RangeBound& bound) {
  if (bound.why != CannotTell::kCanTell)
    return fmt::format("{} bound: cannot tell: {}\n", name, words(bound.why));
  return fmt::format("{} bound: {:.3g} (between {:.3g} and {:.3g})\n", name, bound.rate, bound.low,
                     bound.high);
}

nlohmann::json bound_json(const RangeBound& bound) {
  nlohmann::json json = {{"told", bound.why == CannotTell::kCanTell}, {"why", code(bound.why)}};
  if (bound.why == CannotTell::kCanTell)
    json.update({{"rate", bound.rate}, {"low", bound.low}, {"high", bound.high}});
  return json;
}

// What must go where another run takes the place of the experiment's own.
nlohmann::json without_own_run(const Experiment& experiment, const std::string& suffix) {
  nlohmann::json json = experiment.normalised;
  json["name"] = derived_name(experiment.name, suffix);
  for (const char* key : {"iterations", "epochs", "target", "max_seconds", "stop_at_target"})
    json["run"].erase(key);
  json["rank"] = {{"by", "top1"}, {"at", "final"}};
  json.erase("tolerance");
  json.erase("verify");
  return json;
}

Result<void> check_one_training(const Experiment& experiment) {
  if (experiment.train.holes.empty()) return {};
  return fail("train holds domains: a range test is of one way of training");
}

// A bound lies between two rates of the grid at best.
RangeTestOptions options_of(const RangeReport& report) {
  RangeTestOptions options;
  options.chance = report.chance;
  options.widest = std::max(options.widest, 2 * report.rates[1] / report.rates[0]);
  return options;
}

// What to start from in the experiment's own run.
Result<void> estimate_into(RangeReport& report, const Experiment& experiment,
                           const TrainingIdentity& identity) {
  const auto run = run_plan_of(experiment, identity.train, identity.data);
  if (!run) return tl::unexpected(run.error());
  report.run_iterations = run->iterations;
  const bool told = report.range.lower.why == CannotTell::kCanTell &&
                    report.range.upper.why == CannotTell::kCanTell;
  const std::int64_t epoch =
      (identity.data.train_samples + identity.train.batch - 1) / identity.train.batch;
  if (told && run->iterations >= 2) {
    report.estimate = estimate_parameters(report.range.lower.rate, report.range.upper.rate,
                                          run->iterations, std::max<std::int64_t>(1, epoch));
  }
  return {};
}

// Accuracy at the end of each stair of a run; none where it had diverged.
std::vector<std::optional<double>> stair_accuracies(const TrialResult& run, std::size_t stairs) {
  std::vector<std::optional<double>> accuracies(stairs);
  const std::int64_t length = run.trial.plan.evaluate_every;
  for (const MetricPoint& point : run.points) {
    const auto stair = static_cast<std::size_t>((point.iteration + length - 1) / length);
    if (stair >= 1 && stair <= stairs) accuracies[stair - 1] = point.evaluated.top1;
  }
  return accuracies;
}

// Over the seeds; what diverged counts as chance.
double mean_accuracy(const RangeReport& report, std::int64_t iterations, std::size_t rate) {
  double sum = 0;
  int count = 0;
  for (const RangeCurve& curve : report.curves) {
    if (curve.iterations != iterations) continue;
    sum += curve.accuracy[rate].value_or(report.chance);
    ++count;
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / count;
}

struct SeedCount {
  std::ptrdiff_t diverged = 0;
  std::ptrdiff_t all = 0;
};

SeedCount seeds_at(const RangeReport& report, std::int64_t iterations, std::size_t rate) {
  SeedCount seeds;
  for (const RangeCurve& curve : report.curves) {
    if (curve.iterations != iterations) continue;
    ++seeds.all;
    if (!curve.accuracy[rate]) ++seeds.diverged;
  }
  return seeds;
}

// mean_accuracy(), and how many of the seeds had none.
std::string accuracy_words(const RangeReport& report, std::int64_t iterations, std::size_t rate) {
  const SeedCount seeds = seeds_at(report, iterations, rate);
  if (seeds.diverged > 0 && seeds.diverged == seeds.all) return "diverged";
  const std::string mean = fmt::format("{:.4f}", mean_accuracy(report, iterations, rate));
  return seeds.diverged == 0 ? mean : fmt::format("{} ({} diverged)", mean, seeds.diverged);
}

std::vector<std::int64_t> lengths_of(const RangeReport& report) {
  std::vector<std::int64_t> lengths;
  for (const RangeCurve& curve : report.curves) lengths.push_back(curve.iterations);
  std::ranges::sort(lengths);
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  return lengths;
}

}  // namespace

std::vector<double> rate_grid(const RangeTestSettings& settings) {
  std::vector<double> rates;
  const double step = std::log(settings.high / settings.low) / (settings.rates - 1);
  for (int i = 0; i < settings.rates; ++i) {
    rates.push_back(settings.low * std::exp(step * i));
  }
  // Three digits, so that people can write a rate down again; more where two would be the same.
  for (const int digits : {2, 6}) {
    std::vector<double> written;
    for (const double rate : rates)
      written.push_back(std::strtod(fmt::format("{:.{}e}", rate, digits).c_str(), nullptr));
    written.front() = settings.low;
    written.back() = settings.high;
    if (digits == 6 || std::ranges::adjacent_find(written) == written.end()) return written;
  }
  return rates;
}

Result<Experiment> range_test_experiment(const Experiment& experiment,
                                         const RangeTestSettings& settings) {
  if (auto checked = check(settings); !checked) return tl::unexpected(checked.error());
  if (const auto lengths = multiples(settings); !lengths) return tl::unexpected(lengths.error());
  if (auto one = check_one_training(experiment); !one) return tl::unexpected(one.error());
  nlohmann::json json = without_own_run(experiment, "-range-test");
  nlohmann::json& run = json["run"];
  if (settings.epochs.empty()) {
    run["iterations"] = settings.iterations.back();
    run["evaluate"]["every"] = settings.iterations.front();
  } else {
    run["epochs"] = settings.epochs.back();
    run["evaluate"]["every"] = fmt::format("{} epochs", settings.epochs.front());
  }
  nlohmann::json policies = nlohmann::json::array();
  for (const double rate : rate_grid(settings))
    policies.push_back({{"function", "fix"}, {"k0", rate}});
  json["search"] = {{"method", "list"}, {"policies", std::move(policies)}};
  if (settings.seeds > 1)
    json["verify"] = {{"top", settings.rates}, {"repeats", settings.seeds - 1}};
  return experiment_from_json(json);
}

Result<Experiment> ramp_experiment(const Experiment& experiment, const RangeTestSettings& settings,
                                   int seed) {
  if (auto checked = check(settings); !checked) return tl::unexpected(checked.error());
  if (const auto lengths = multiples(settings); !lengths) return tl::unexpected(lengths.error());
  if (auto one = check_one_training(experiment); !one) return tl::unexpected(one.error());
  if (settings.epochs.size() + settings.iterations.size() != 1)
    return fail("a ramp has one length: give --epochs or --iterations one number");
  nlohmann::json json = without_own_run(experiment, "-ramp");
  nlohmann::json stair;  // its length
  if (settings.epochs.empty()) {
    const std::int64_t least = settings.iterations.front();
    if (least < settings.rates) {
      return fail(
          fmt::format("a ramp over {} rates has at least as many iterations, not {}: give "
                      "more with --iterations, or fewer --rates",
                      settings.rates, least));
    }
    const std::int64_t length = (least + settings.rates - 1) / settings.rates;
    stair = length;
    json["run"]["iterations"] = length * settings.rates;
  } else {
    stair = fmt::format("{} epochs", settings.epochs.front() / settings.rates);
    json["run"]["epochs"] = settings.epochs.front();
  }
  json["run"]["evaluate"]["every"] = stair;
  constexpr std::uint64_t kSeeds = std::uint64_t{1} << 63;
  json["seed"] = (experiment.seed + static_cast<std::uint64_t>(seed)) % kSeeds;
  const double gamma = std::pow(settings.high / settings.low, 1.0 / (settings.rates - 1));
  const nlohmann::json growing = {
      {"function", "step"}, {"k0", settings.low}, {"gamma", gamma}, {"l", stair}};
  json["search"] = {{"method", "list"}, {"policies", {growing}}};
  return experiment_from_json(json);
}

std::optional<RangeTestSettings> range_test_settings(const Experiment& test) {
  RangeTestSettings settings;
  settings.rates = static_cast<int>(test.policies.size());
  settings.seeds = test.verify_top > 0 ? test.verify_repeats + 1 : 1;
  const nlohmann::json& first = test.policies.front().tree;
  const nlohmann::json& last = test.policies.back().tree;
  for (const nlohmann::json* end : {&first, &last}) {
    if (!end->contains("k0") || !end->at("k0").is_number()) return std::nullopt;
  }
  settings.low = first.at("k0");
  settings.high = last.at("k0");
  if (test.length.epochs > 0) {
    settings.epochs = {test.evaluate_every.epochs, test.length.epochs};
  } else {
    settings.iterations = {test.evaluate_every.iterations, test.length.iterations};
  }
  if (test.length == test.evaluate_every) {
    settings.epochs.resize(settings.epochs.size() / 2);
    settings.iterations.resize(settings.iterations.size() / 2);
  }
  const auto again = range_test_experiment(test, settings);
  if (!again) return std::nullopt;
  nlohmann::json normal = again->normalised;
  normal["name"] = test.name;
  if (normal != test.normalised) return std::nullopt;
  return settings;
}

Result<TrainingIdentity> identity_of(const StoredState& stored, const CampaignResults& results) {
  if (results.policies.empty()) return fail("no run of the range test has ended");
  const Digest& hash = results.policies.front().search.trial.identity;
  const auto found = std::ranges::find(stored.identities, hash, &IdentityRecord::hash);
  if (found == stored.identities.end()) return fail("the store has lost a training identity");
  return found->identity;
}

std::string words(CannotTell why) {
  switch (why) {
    case CannotTell::kNothingLearned:
      return "with some seed no rate rose above chance: other rates or longer runs are needed";
    case CannotTell::kOutsideGrid:
      return "it is at the end of the grid or beyond: --low or --high must go further";
    case CannotTell::kSeedsDisagree:
      return "the seeds disagree: more --seeds or longer runs are needed";
    case CannotTell::kTooCoarse:
      return "only one rate is good: more --rates are needed";
    case CannotTell::kCanTell:
      break;
  }
  return {};
}

Result<RangeReport> range_report(const Experiment& experiment, const RangeTestSettings& settings,
                                 const CampaignResults& results, const TrainingIdentity& identity) {
  const auto lengths = multiples(settings);
  if (!lengths) return tl::unexpected(lengths.error());
  RangeReport report;
  report.name = experiment.name;
  report.rates = rate_grid(settings);
  report.chance = 1.0 / identity.data.classes;
  const Measured found = measured(report.rates, results, *lengths);
  if (results.policies.empty()) return fail("no run of the range test has ended");
  const RunPlan& plan = results.policies.front().search.trial.plan;
  for (const std::int64_t length : *lengths) {
    const std::int64_t at =
        length == lengths->back() ? plan.iterations : length * plan.evaluate_every;
    for (std::uint32_t seed = 0; seed < static_cast<std::uint32_t>(settings.seeds); ++seed) {
      RangeCurve curve{seed, at, std::vector<std::optional<double>>(report.rates.size())};
      for (std::size_t rate = 0; rate < report.rates.size(); ++rate) {
        const auto of_seed = found.find(seed);
        if (of_seed == found.end() || !of_seed->second.contains(rate)) continue;
        const auto& accuracy = of_seed->second.at(rate);
        if (accuracy.contains(length)) curve.accuracy[rate] = accuracy.at(length);
      }
      report.curves.push_back(std::move(curve));
    }
  }
  report.range = analyse_range(report.rates, report.curves, options_of(report));
  report.asked = results.cost.asked;
  report.trained = results.cost.trained;
  if (auto done = estimate_into(report, experiment, identity); !done)
    return tl::unexpected(done.error());
  return report;
}

Result<RangeReport> ramp_report(const Experiment& experiment,
                                std::span<const CampaignResults> results,
                                const TrainingIdentity& identity) {
  RangeReport report;
  report.name = experiment.name;
  report.ramp = true;
  report.chance = 1.0 / identity.data.classes;
  for (const CampaignResults& of_seed : results) {
    if (of_seed.policies.empty()) return fail("no run of the ramp has ended");
    const TrialResult& run = of_seed.policies.front().search;
    const RunPlan& plan = run.trial.plan;
    const std::int64_t stairs = (plan.iterations + plan.evaluate_every - 1) / plan.evaluate_every;
    if (stairs < 3) return fail("the ramp is too short: fewer than three rates were applied");
    report.rates.clear();
    for (std::int64_t stair = 0; stair < stairs; ++stair)
      report.rates.push_back(learning_rate(run.trial.policy, stair * plan.evaluate_every));
    report.curves.push_back({static_cast<std::uint32_t>(report.curves.size()), plan.iterations,
                             stair_accuracies(run, report.rates.size())});
  }
  report.range = analyse_ramp(report.rates, report.curves, options_of(report));
  for (const CampaignResults& one : results) {
    report.asked += one.cost.asked;
    report.trained += one.cost.trained;
  }
  if (auto done = estimate_into(report, experiment, identity); !done)
    return tl::unexpected(done.error());
  return report;
}

std::string range_text(const RangeReport& report, const Terminal& terminal) {
  const std::vector<std::int64_t> lengths = lengths_of(report);
  std::vector<TableColumn> columns{{"rate", Align::kRight}};
  for (const std::int64_t length : lengths)
    columns.push_back({report.ramp ? "top-1" : fmt::format("after {}", length), Align::kRight});
  TextTable table(std::move(columns));
  for (std::size_t rate = 0; rate < report.rates.size(); ++rate) {
    std::vector<std::string> row{fmt::format("{:.3g}", report.rates[rate])};
    for (const std::int64_t length : lengths) row.push_back(accuracy_words(report, length, rate));
    const bool good = report.estimate && report.rates[rate] >= report.range.lower.rate &&
                      report.rates[rate] <= report.range.upper.rate;
    table.add_row(std::move(row), good ? Ink::kGood : Ink::kPlain);
  }
  std::string text =
      paint(fmt::format("{}: mean top-1 of {} over {} {}, {}", report.name,
                        report.ramp ? "a growing rate" : "fixed rates", report.range.seeds,
                        report.range.seeds == 1 ? "seed" : "seeds",
                        report.ramp ? fmt::format("in {} iterations", report.range.iterations)
                                    : "by iterations"),
            Ink::kBold, terminal.colour);
  text += '\n' + table.text(terminal) + '\n';
  text += bound_line("lower", report.range.lower) + bound_line("upper", report.range.upper);
  if (report.range.lower_fell > 1) {
    text += fmt::format(
        "With longer runs the lower bound fell {:.3g} times: in a run of {} iterations it may be "
        "lower still.\n",
        report.range.lower_fell, report.run_iterations);
  }
  text += fmt::format("{} iterations trained of {} asked for.\n", report.trained, report.asked);
  if (!report.estimate) return text;
  const ParameterEstimate& e = *report.estimate;
  text += fmt::format("{:.3g} % of [0, 1] is left to search.\n", 100 * report.range.left);
  text += fmt::format(
      "To start from, for {} iterations: k0 {:.3g}, k1 {:.3g}, l {} ({} cycles; search {} to {}), "
      "fix {:.3g}, gamma {:.6g}\n",
      report.run_iterations, e.k0, e.k1, e.half_cycle, e.cycles, e.half_cycle_low,
      e.half_cycle_high, e.fixed, e.gamma);
  return text;
}

nlohmann::json to_json(const RangeReport& report) {
  nlohmann::json curves = nlohmann::json::array();
  for (const RangeCurve& curve : report.curves) {
    nlohmann::json values = nlohmann::json::array();
    for (const auto& value : curve.accuracy)
      values.push_back(value ? nlohmann::json(*value) : nlohmann::json());
    curves.push_back(
        {{"repeat", curve.repeat}, {"iterations", curve.iterations}, {"top1", std::move(values)}});
  }
  nlohmann::json json = {{"name", report.name},
                         {"method", report.ramp ? "ramp" : "fixed rates"},
                         {"rates", report.rates},
                         {"curves", std::move(curves)},
                         {"lower", bound_json(report.range.lower)},
                         {"upper", bound_json(report.range.upper)},
                         {"seeds", report.range.seeds},
                         {"iterations_trained", report.trained},
                         {"iterations_asked", report.asked},
                         {"left_of_unit_interval",
                          report.estimate ? nlohmann::json(report.range.left) : nlohmann::json()},
                         {"estimate", nullptr}};
  if (const auto& e = report.estimate) {
    json["estimate"] = {{"iterations", report.run_iterations},
                        {"k0", e->k0},
                        {"k1", e->k1},
                        {"fix", e->fixed},
                        {"gamma", e->gamma},
                        {"l", e->half_cycle},
                        {"cycles", e->cycles},
                        {"l_low", e->half_cycle_low},
                        {"l_high", e->half_cycle_high}};
  }
  return json;
}

Chart range_chart(const RangeReport& report) {
  Chart chart;
  chart.title = report.name + (report.ramp ? ": a growing rate" : ": fixed rates");
  chart.x_label = "learning rate";
  chart.y_label = "mean top-1";
  chart.log_x = true;
  if (report.estimate)
    chart.band = Band{report.range.lower.rate, report.range.upper.rate, "range to search"};
  Series diverged{"all seeds diverged", {}, {}, {}, /*muted=*/true};
  for (const std::int64_t length : lengths_of(report)) {
    Series series{fmt::format("after {} iterations", length), {}, {}};
    for (std::size_t rate = 0; rate < report.rates.size(); ++rate) {
      const SeedCount seeds = seeds_at(report, length, rate);
      const bool measured = seeds.diverged < seeds.all;
      series.x.push_back(report.rates[rate]);
      series.y.push_back(measured ? mean_accuracy(report, length, rate)
                                  : std::numeric_limits<double>::quiet_NaN());
      if (measured) continue;
      diverged.x.push_back(report.rates[rate]);
      diverged.y.push_back(report.chance);
      diverged.points.push_back(
          {"", fmt::format("{:.3g} diverged within {} iterations", report.rates[rate], length)});
    }
    chart.series.push_back(std::move(series));
  }
  if (!diverged.points.empty()) chart.series.push_back(std::move(diverged));
  return chart;
}

}  // namespace lrtune

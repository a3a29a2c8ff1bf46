#include "coordinator/cli/verify_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "common/config/run_plan.h"
#include "common/policy/policy_json.h"
#include "coordinator/cli/m_opt_text.h"
#include "coordinator/ranking/dataset_profile.h"
#include "coordinator/search/search.h"
#include "coordinator/tuning/m_opt.h"
#include "coordinator/tuning/settled_order.h"

namespace lrtune {
namespace {

using nlohmann::json;

Result<Experiment> list_experiment(const Experiment& experiment, const std::string& phase,
                                   std::span<const json> policies, const VerifySettings& settings) {
  if (!experiment.train.holes.empty())
    return fail("train holds domains: a policy is verified for one way of training");
  json made = experiment.normalised;
  made["name"] = derived_name(experiment.name, "-" + phase);
  made["run"]["target"] = to_json(settings.target);
  made["run"]["stop_at_target"] = false;
  made["search"] = {{"method", "list"}, {"policies", json(policies)}};
  made["rank"] = {{"by", "top1"}, {"at", "best"}};
  if (settings.target.measure == Measure::kLoss) made["rank"]["by"] = "loss";
  made.erase("tolerance");
  made.erase("verify");
  return experiment_from_json(made);
}

Result<Experiment> measuring(const Result<Experiment>& made, const VerifySettings& settings) {
  const bool measures = made && made->m_opt_every != RunLength{};
  if (!made || measures == settings.m_opt) return made;
  json document = made->normalised;
  document["run"].erase("m_opt");
  if (settings.m_opt) document["run"]["m_opt"] = {{"every", m_opt_interval(*made)}};
  return experiment_from_json(document);
}

// With new seeds for the policy that is judged and the best of the others.
Result<Experiment> repeated(const Result<Experiment>& made, const VerifySettings& settings) {
  if (!made || settings.repeats < 1) return made;
  json document = made->normalised;
  document["verify"] = {{"top", settings.top + 1}, {"repeats", settings.repeats}};
  return experiment_from_json(document);
}

std::vector<json> with_others(const json& policy, std::span<const json> others) {
  std::vector<json> all = {policy};
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

double rounded(double value) { return std::stod(fmt::format("{:.3e}", value)); }

// What generated candidates are drawn from: an experiment's `policies`.
json templates(const ParameterEstimate& e, std::int64_t iterations) {
  const double low = rounded(e.k0);
  const double high = rounded(e.k1);
  const json rate = {{"log", {low, high}}};
  const json top = {{"log", {rounded(e.fixed), high}}};
  const std::int64_t shortest = std::max<std::int64_t>(1, e.half_cycle_low);
  const json l = {{"int", {shortest, std::max(e.half_cycle_high, shortest + 1)}}};
  const double gamma = std::min(e.gamma, 0.999999);
  return json::array(
      {{{"function", "fix"}, {"k0", rate}},
       {{"function", "poly"}, {"k0", top}, {"p", {{"uniform", {0.8, 2.0}}}}, {"l", iterations}},
       {{"function", "exp"}, {"k0", top}, {"gamma", gamma}},
       {{"function", {{"choice", {"tri", "sin", "cos", "tri2", "sin2"}}}},
        {"k0", low},
        {"k1", top},
        {"l", l}},
       {{"function", {{"choice", {"triexp", "sinexp"}}}},
        {"k0", low},
        {"k1", top},
        {"gamma", gamma},
        {"l", l}}});
}

json composite(const ParameterEstimate& e, std::int64_t iterations) {
  const auto segment = [&](const char* function, double scale, std::int64_t share) {
    return json{{"function", function},
                {"k0", rounded(e.k0 * scale)},
                {"k1", rounded(e.k1 * scale)},
                {"l", std::max<std::int64_t>(1, e.half_cycle / share)}};
  };
  json first = segment("tri", 1, 1);
  first["until"] = std::max<std::int64_t>(1, iterations * 6 / 7);
  json second = segment("tri2", 0.1, 2);
  second["until"] = std::max<std::int64_t>(2, iterations * 13 / 14);
  return {{"segments", {std::move(first), std::move(second), segment("tri2", 0.01, 4)}}};
}

double best_value(const Scores& scores, Measure measure) {
  return measure == Measure::kTop1 ? scores.best.evaluated.top1 : scores.lowest_loss.evaluated.loss;
}

std::vector<double> best_values(const PolicyResult& result, Measure measure) {
  std::vector<double> values;
  for (const TrialResult& repeat : result.repeats) {
    if (repeat.scores.ended_well) values.push_back(best_value(repeat.scores, measure));
  }
  return values;
}

// Is the first really better than the second? From their repeats, if there are enough.
json settled(const PolicyResult& first, const PolicyResult& second, Measure measure) {
  const std::vector<std::vector<double>> values = {best_values(first, measure),
                                                   best_values(second, measure)};
  if (values[0].size() < 2 || values[1].size() < 2) return nullptr;
  const WelchTest test = welch_test(sample_of(values[0]), sample_of(values[1]), 0.95);
  return {{"difference", test.difference}, {"low", test.low}, {"high", test.high}, {"p", test.p}};
}

// `measure`: "top1" or "loss".
std::string line_of(const json& one, const std::string& measure) {
  const std::string shown = measure == "top1" ? "top-1" : measure;
  const std::string name = one.value("name", "");
  std::string line = fmt::format("  {}{}{}: ", name, name.empty() ? "" : ": ",
                                 one.at("description").get<std::string>());
  if (one.contains("verified")) {
    const json& v = one.at("verified");
    const int well = v.value("ended_well", 0);
    const int repeats = v.value("repeats", 0);
    if (well == 0) return line + fmt::format("none of {} new seeds ended well\n", repeats);
    line += fmt::format("{} {:.4f}", shown, v.at(measure + "_mean").get<double>());
    if (well > 1) line += fmt::format(" ± {:.4f}", v.at(measure + "_deviation").get<double>());
    if (well == repeats) return line + fmt::format(" over {} new seeds\n", repeats);
    return line + fmt::format(" over {} of {} new seeds; {} did not end well\n", well, repeats,
                              repeats - well);
  }
  if (one.at(measure).is_null()) return line + "never measured\n";
  return line + fmt::format("{} {:.4f}\n", shown, one.at(measure).get<double>());
}

// "0.00316 to 0.1", or what is known of it.
std::string range_words(const json& range) {
  const auto bound = [&](const char* name) {
    const json& one = range.at(name);
    return one.at("told").get<bool>()
               ? fmt::format("{:.3g}", one.at("rate").get<double>())
               : fmt::format("cannot tell ({})", one.at("why").get<std::string>());
  };
  return fmt::format("  rates worth searching: from {} to {}\n", bound("lower"), bound("upper"));
}

std::string phase_text(const json& phase, const std::string& measure) {
  std::string text = fmt::format("Phase {}: {}\n", phase.at("phase").get<int>(),
                                 phase.at("what").get<std::string>());
  if (phase.contains("range")) text += range_words(phase.at("range"));
  for (const json& one : phase.value("policies", json::array())) text += line_of(one, measure);
  const json settled = phase.value("settled", json());
  if (settled.is_object()) {
    text += fmt::format("  the best two differ by {:.4f} (95 %: {:.4f} to {:.4f}; p {:.3g})\n",
                        settled.at("difference").get<double>(), settled.at("low").get<double>(),
                        settled.at("high").get<double>(), settled.at("p").get<double>());
  }
  return text;
}

// Those with data set and network in common before those with the data set, and these before those
// with the network; then by value.
class RivalOrder {
 public:
  explicit RivalOrder(const RivalSearch& search) : search_(search) {}

  void add(const std::string& dataset, const std::string& model, Rival rival) {
    const bool same_data = dataset == search_.dataset;
    const bool same_model = model == search_.model;
    if (!same_data && !same_model) return;
    const int rank = same_data && same_model ? 0 : same_data ? 1 : 2;
    rival.reason = rank == 0   ? "the same data set and network"
                   : rank == 1 ? "the same data set"
                               : "the same network";
    found_.emplace_back(rank, std::move(rival));
  }

  std::vector<Rival> best(std::size_t top) {
    const double sign = search_.target.measure == Measure::kLoss ? 1 : -1;  // the better one first
    std::ranges::stable_sort(found_, [&](const auto& a, const auto& b) {
      return std::pair(a.first, sign * a.second.value) < std::pair(b.first, sign * b.second.value);
    });
    std::vector<Rival> best;
    std::set<std::string> seen;
    for (auto& [rank, rival] : found_) {
      if (best.size() < top && seen.insert(rival.description).second)
        best.push_back(std::move(rival));
    }
    return best;
  }

 private:
  const RivalSearch& search_;
  std::vector<std::pair<int, Rival>> found_;
};

}  // namespace

Result<Target> target_from_text(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  double value = 0;
  std::size_t read = 0;
  try {
    if (equals != std::string::npos) value = std::stod(text.substr(equals + 1), &read);
  } catch (const std::exception&) {
    read = 0;
  }
  if (read == 0 || equals + 1 + read != text.size() || (name != "top1" && name != "loss")) {
    return fail(fmt::format("--target must be top1=VALUE or loss=VALUE, such as top1=0.991, not {}",
                            text.empty() ? "empty" : text));
  }
  return target_from_json(json{{name, value}}, "--target");
}

Result<Experiment> trial_experiment(const Experiment& experiment, std::span<const json> policies,
                                    const VerifySettings& settings) {
  return measuring(list_experiment(experiment, "verify", policies, settings), settings);
}

std::int64_t m_opt_interval(const Experiment& experiment) {
  constexpr std::int64_t kPapers = 250;
  const auto train = train_spec_from_json(experiment.train.tree, "/train");
  if (!train) return kPapers;
  const DatasetProfile* const profile = dataset_profile(train->dataset.name);
  DataFacts facts;
  if (profile != nullptr) {
    facts = facts_of(*profile, train->validation);
  } else if (experiment.length.iterations > 0 && experiment.evaluate_every.iterations > 0) {
    facts.train_samples = facts.validation_samples = facts.test_samples =
        1;  // no length needs them
  }
  const auto plan = run_plan_of(experiment, *train, facts);
  if (!plan) return kPapers;
  const std::int64_t stretch = std::min(plan->evaluate_every, plan->iterations);
  return std::max({kLeastMoptInterval, std::min(kPapers, plan->iterations / 100),
                   stretch / kMostMoptValues + 1});
}

Result<Experiment> comparison_experiment(const Experiment& experiment, const json& policy,
                                         std::span<const json> stored,
                                         const VerifySettings& settings) {
  return repeated(list_experiment(experiment, "compare", with_others(policy, stored), settings),
                  settings);
}

Result<Experiment> generation_experiment(const Experiment& experiment, const json& policy,
                                         std::span<const json> generated,
                                         const VerifySettings& settings) {
  return repeated(
      measuring(list_experiment(experiment, "generate", with_others(policy, generated), settings),
                settings),
      settings);
}

RangeTestSettings generation_range(std::int64_t iterations) {
  const std::int64_t tenth = std::max<std::int64_t>(1, iterations / 10);
  return {.low = 1e-4,
          .high = 1,
          .rates = 9,
          .epochs = {},
          .iterations = {tenth, 2 * tenth},
          .seeds = 2};
}

std::vector<json> generated_policies(const ParameterEstimate& estimate, std::int64_t iterations,
                                     std::uint64_t seed, int count) {
  // The random search of an experiment is what draws.
  const json drawn = {{"name", "generated"},
                      {"train",
                       {{"dataset", {{"name", "mnist"}}},
                        {"model", "lenet"},
                        {"optimizer", {{"name", "sgd"}}},
                        {"batch", 1}}},
                      {"run", {{"iterations", iterations}, {"evaluate", {{"every", iterations}}}}},
                      {"seed", seed},
                      {"search",
                       {{"method", "random"},
                        {"count", std::max(1, count - 1)},
                        {"policies", templates(estimate, iterations)}}}};
  std::vector<json> policies = {composite(estimate, iterations)};
  const Experiment experiment = experiment_from_json(drawn).value();
  for (std::int64_t i = 0; i + 1 < count; ++i) {
    json policy = candidate_policy(experiment, i);
    for (const char* key : {"k0", "k1"}) {
      if (policy.contains(key)) policy[key] = rounded(policy[key].get<double>());
    }
    policies.push_back(std::move(policy));
  }
  return policies;
}

std::optional<json> m_opt_candidate(std::span<const MoptValue> series) {
  auto schedule = recommended(series);
  if (!schedule) return std::nullopt;
  for (Segment& segment : schedule->segments) segment.function.k0 = rounded(segment.function.k0);
  json candidate = to_json(*schedule);
  candidate["name"] = "M-opt";
  return candidate;
}

std::optional<ParameterEstimate> estimate_of(const RangeReport& report) {
  if (report.estimate) return report.estimate;
  double best = 0;
  double rate = 0;
  for (const RangeCurve& curve : report.curves) {
    for (std::size_t i = 0; i < curve.accuracy.size(); ++i) {
      if (curve.accuracy[i].value_or(0) <= std::max(best, 1.5 * report.chance)) continue;
      best = *curve.accuracy[i];
      rate = report.rates[i];
    }
  }
  if (rate == 0 || report.run_iterations < 2) return std::nullopt;
  const double factor = std::sqrt(10.0);
  return estimate_parameters(rate / factor, rate * factor, report.run_iterations,
                             std::max<std::int64_t>(1, report.run_iterations / 8));
}

std::set<CampaignId> own_campaigns(const StoredState& stored, const Experiment& experiment,
                                   std::span<const Policy> policies) {
  std::set<CampaignId> own, compares;
  for (const CampaignRecord& campaign : stored.campaigns) {
    if (campaign.name == derived_name(experiment.name, "-range-test")) own.insert(campaign.id);
    for (const char* phase : {"-compare", "-generate"}) {
      if (campaign.name == derived_name(experiment.name, phase)) compares.insert(campaign.id);
    }
  }
  // The policy that is judged is their first.
  for (const TrialRecord& trial : stored.trials) {
    if (trial.number == 0 && compares.contains(trial.campaign) &&
        std::ranges::find(policies, trial.policy) != policies.end())
      own.insert(trial.campaign);
  }
  return own;
}

namespace {

bool meets_in_time(const Scores& run, const RivalSearch& search) {
  return run.ended_well &&
         run.target_iteration.value_or(search.iterations + 1) <= search.iterations &&
         (!search.max_seconds || run.target_seconds <= *search.max_seconds);
}

}  // namespace

std::vector<Rival> rivals(std::span<const PolicyEntry> entries, const RivalSearch& search,
                          const Policy& policy, std::size_t top) {
  const bool by_loss = search.target.measure == Measure::kLoss;
  RivalOrder order(search);
  for (const PolicyEntry& entry : entries) {
    std::vector<Scores> runs;
    for (const PolicyRun& run : entry.runs) {
      if (!search.made_by_itself.contains(run.campaign)) runs.push_back(run.scores);
    }
    const bool met_it =
        std::ranges::any_of(runs, [&](const Scores& run) { return meets_in_time(run, search); });
    if (!met_it || entry.policy == policy || entry.policy.reactive() ||
        entry.train.optimizer.name != search.optimizer ||
        entry.plan.evaluate_on != search.evaluated_on)
      continue;
    const RepeatedScores scores = combine(runs, RankAt::kBest);
    const MeanAndDeviation& value = by_loss ? scores.loss : scores.top1;
    order.add(entry.train.dataset.name, entry.train.model.name,
              {to_json(entry.policy), entry.description, value.mean, {}});
  }
  return order.best(top);
}

std::vector<Rival> published_rivals(std::span<const PublishedPolicy> published,
                                    const RivalSearch& search, const Policy& policy,
                                    std::size_t top) {
  if (search.target.measure != Measure::kTop1) return {};
  RivalOrder order(search);
  for (const PublishedPolicy& one : published) {
    if (one.top1.value_or(0) < search.target.value || one.policy == policy ||
        one.at.value_or(one.iterations) > search.iterations ||
        one.keys.optimizer != search.optimizer)
      continue;
    json document = to_json(one.policy);
    document["name"] = "published, " + one.source;
    order.add(one.keys.dataset, one.keys.model,
              {std::move(document), describe(one.policy), *one.top1, {}});
  }
  return order.best(top);
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kVerified:
      return "verified";
    case Verdict::kReplaced:
      return "replaced";
    case Verdict::kBest:
      break;
  }
  return "best";
}

bool met(const PolicyResult& result) { return result.search.scores.target_iteration.has_value(); }

bool meets(const PolicyResult& result, const Target& target) {
  const std::vector<double> values = best_values(result, target.measure);
  if (values.empty()) return met(result);
  const double mean = sample_of(values).mean;
  return target.measure == Measure::kTop1 ? mean >= target.value : mean <= target.value;
}

json outcome_json(const PolicyResult& result, const CampaignResults& results) {
  json one = to_json(result.search.scores, results.at);
  one["policy"] = to_json(result.search.trial.policy);
  one["description"] = describe(result.search.trial.policy);
  if (!result.name.empty()) one["name"] = result.name;
  one["trial"] = result.search.trial.id.value;
  if (result.verified) one["verified"] = to_json(*result.verified);
  return one;
}

bool judge(Judgement& judgement, int phase, const Policy& policy, const CampaignResults& results,
           const Target& target) {
  const auto top = results.top(results.policies.size());
  json policies = json::array();
  for (const PolicyResult* one : top) policies.push_back(outcome_json(*one, results));
  const bool beaten = !top.empty() && top.front()->search.trial.policy != policy;
  judgement.phase = phase;
  judgement.verdict = beaten ? Verdict::kReplaced : Verdict::kBest;
  judgement.replacement.reset();
  if (beaten) judgement.replacement = to_json(top.front()->search.trial.policy);
  judgement.replacement_meets = beaten && meets(*top.front(), target);
  const char* const what = !beaten                       ? "nothing beats the policy"
                           : judgement.replacement_meets ? "another policy is better"
                                                         : "another policy is better, and misses "
                                                           "the target too";
  judgement.phases.push_back(
      {{"phase", phase},
       {"what", what},
       {"policies", std::move(policies)},
       {"settled", top.size() > 1 ? settled(*top[0], *top[1], target.measure) : json()}});
  return beaten;
}

std::string verdict_text(const Judgement& judgement, const VerifySettings& settings) {
  std::string text;
  const std::string measure(name_of(settings.target.measure));
  for (const json& phase : judgement.phases) text += phase_text(phase, measure);
  if (!judgement.m_opt.empty()) text += m_opt_words(judgement.m_opt);
  const std::string target =
      fmt::format("{} {}", name_of(settings.target.measure), settings.target.value);
  switch (judgement.verdict) {
    case Verdict::kVerified:
      return text + fmt::format("Verdict: verified: it meets {}.\n", target);
    case Verdict::kReplaced:
      return text +
             fmt::format("Verdict: replaced, in phase {}. The better policy{}:\n{}\n",
                         judgement.phase,
                         judgement.replacement_meets ? "" : ", which misses " + target + " too",
                         judgement.replacement->dump());
    case Verdict::kBest:
      break;
  }
  return text + fmt::format("Verdict: it is the best that was found{}.\n",
                            settings.compare ? "" : ", though it misses " + target);
}

json to_json(const Judgement& judgement, const VerifySettings& settings) {
  return {{"verdict", name_of(judgement.verdict)},
          {"phase", judgement.phase},
          {"target", to_json(settings.target)},
          {"policy", judgement.policy},
          {"replacement", judgement.replacement ? *judgement.replacement : json()},
          {"replacement_meets_target",
           judgement.replacement ? json(judgement.replacement_meets) : json()},
          {"m_opt", judgement.m_opt.empty() ? json() : m_opt_json(judgement.m_opt)},
          {"phases", judgement.phases}};
}

}  // namespace lrtune

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
                                   CampaignId first, std::span<const Policy> policies) {
  std::set<CampaignId> own = {first}, compares;
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
                          std::span<const Policy> judged, std::size_t top) {
  const bool by_loss = search.target.measure == Measure::kLoss;
  RivalOrder order(search);
  for (const PolicyEntry& entry : entries) {
    std::vector<Scores> runs;
    for (const PolicyRun& run : entry.runs) {
      if (!search.made_by_itself.contains(run.campaign)) runs.push_back(run.scores);
    }
    const bool met_it =
        std::ranges::any_of(runs, [&](const Scores& run) { return meets_in_time(run, search); });
    const bool is_judged = std::ranges::find(judged, entry.policy) != judged.end();
    if (!met_it || is_judged || entry.policy.reactive() ||
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

}  // namespace lrtune

#include "coordinator/methods/verify_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "common/config/run_plan.h"
#include "common/policy/policy_json.h"
#include "coordinator/ranking/dataset_profile.h"
#include "coordinator/report/m_opt_text.h"
#include "coordinator/search/search.h"
#include "coordinator/tuning/m_opt.h"
#include "coordinator/tuning/range_test.h"
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

std::optional<json> m_opt_candidate(std::span<const MoptValue> series) {
  auto schedule = recommended(series);
  if (!schedule) return std::nullopt;
  for (Segment& segment : schedule->segments)
    segment.function.k0 = four_digits(segment.function.k0);
  json candidate = to_json(*schedule);
  candidate["name"] = "M-opt";
  return candidate;
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

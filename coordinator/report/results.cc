#include "coordinator/report/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "common/policy/policy_json.h"
#include "coordinator/report/m_opt_text.h"
#include "coordinator/search/search.h"
#include "coordinator/tuning/settled_order.h"

namespace lrtune {
namespace {

using JobIndex = std::unordered_map<JobId, const JobRecord*>;

std::vector<MetricPoint> points_of(const StoredState& stored, const JobRecord& job) {
  const auto key = [](const PointRecord& point) { return std::pair(point.job, point.attempt); };
  const auto wanted = std::pair(job.id, job.attempt);
  std::vector<MetricPoint> points;
  for (auto point = std::ranges::lower_bound(stored.points, wanted, {}, key);
       point != stored.points.end() && key(*point) == wanted; ++point) {
    points.push_back(point->point);
  }
  return points;
}

// What the stage jobs of a campaign cost, and whom.
class StageCosts {
 public:
  StageCosts(const StoredState& stored, const JobIndex& jobs, CampaignId campaign)
      : stored_(stored), jobs_(jobs) {
    std::unordered_set<JobId> known;  // an earlier campaign leads through it
    for (const TrialRecord& trial : stored.trials) {
      if (trial.campaign < campaign && trial.state != TrialState::kCancelled)
        for_path(trial.job, [&](const JobRecord& job) { known.insert(job.id); });
    }
    for (const TrialRecord& trial : stored.trials) {
      const bool ended =
          trial.state > TrialState::kRunning && trial.state != TrialState::kCancelled;
      if (trial.campaign != campaign || !ended || !jobs.contains(trial.job)) continue;
      total_.asked += trial.plan.iterations;
      total_.early +=
          std::max<std::int64_t>(0, trial.plan.iterations - end_of(*jobs.at(trial.job)));
      for_path(trial.job, [&](const JobRecord& job) {
        if (users_[job.id]++ > 0) return;
        (known.contains(job.id) ? total_.known : total_.trained) += own(job);
        if (known.contains(job.id)) known_.insert(job.id);
      });
    }
    total_.shared = total_.asked - total_.early - total_.known - total_.trained;
  }
  double paid_by(const TrialRecord& trial) const {
    double sum = 0;
    for_path(trial.job, [&](const JobRecord& job) {
      const auto users = users_.find(job.id);
      if (users != users_.end() && !known_.contains(job.id))
        sum += static_cast<double>(own(job)) / static_cast<double>(users->second);
    });
    return sum;
  }
  const TrainingCost& total() const { return total_; }

 private:
  // One that a rule stopped has no outcome: it got as far as its last point, at the least.
  std::int64_t end_of(const JobRecord& job) const {
    if (job.outcome) return job.outcome->iteration;
    const std::vector<MetricPoint> points = points_of(stored_, job);
    return points.empty() ? 0 : points.back().iteration;
  }
  // Behind what it goes on from; nothing if it ended there.
  std::int64_t own(const JobRecord& job) const {
    return std::max<std::int64_t>(0, end_of(job) - job.from_iteration);
  }
  template <typename Visit>
  void for_path(JobId id, const Visit& visit) const {
    for (auto job = jobs_.find(id); job != jobs_.end(); job = jobs_.find(job->second->after))
      visit(*job->second);
  }

  const StoredState& stored_;
  const JobIndex& jobs_;
  std::unordered_map<JobId, std::int64_t> users_;
  std::unordered_set<JobId> known_;
  TrainingCost total_;
};

TrialResult result_of(const StoredState& stored, const TrialRecord& trial, const JobRecord& job) {
  TrialResult result;
  result.trial = trial;
  result.outcome = job.outcome.value_or(Outcome{OutcomeKind::kFailed, 0, {}, "it has no outcome"});
  result.points = points_of(stored, job);
  if (trial.state == TrialState::kStopped) {
    const std::int64_t at = result.points.empty() ? 0 : result.points.back().iteration;
    result.outcome = Outcome{OutcomeKind::kStopped, at, {}, "a rule stopped it"};
  }
  result.scores = score(result.points, result.outcome.kind, trial.plan.target);
  return result;
}

// Scale 1 is the search's own trial, which is not trained again.
std::vector<TrialResult> with_own_scale(const TrialResult& search, std::vector<TrialResult> scaled,
                                        const std::vector<double>& scales) {
  if (!scaled.empty() && std::ranges::find(scales, 1.0) != scales.end()) scaled.push_back(search);
  std::ranges::sort(scaled, {}, [](const TrialResult& run) { return run.trial.scale; });
  return scaled;
}

void rank_all(CampaignResults& results, std::vector<PolicyResult> unranked) {
  std::vector<Scores> scores;
  std::vector<std::int64_t> lengths;
  for (const PolicyResult& policy : unranked) {
    scores.push_back(policy.search.scores);
    lengths.push_back(policy.search.trial.plan.iterations);
  }
  std::vector<std::size_t> order = rank(scores, results.by, results.at);
  if (results.has_rungs) order = by_rung(std::move(order), scores, lengths);
  for (const std::size_t index : order) results.policies.push_back(std::move(unranked[index]));
  std::vector<std::size_t> repeated;
  std::vector<RepeatedScores> means;
  for (std::size_t i = 0; i < results.policies.size(); ++i) {
    PolicyResult& policy = results.policies[i];
    if (policy.repeats.empty()) continue;
    std::vector<Scores> repeats;
    for (const TrialResult& repeat : policy.repeats) repeats.push_back(repeat.scores);
    policy.verified = combine(repeats, results.at);
    repeated.push_back(i);
    means.push_back(*policy.verified);
  }
  for (const std::size_t index : rank_repeated(means, results.by)) {
    results.verified.push_back(repeated[index]);
  }
}

nlohmann::json trial_json(const TrialResult& result, RankAt at) {
  nlohmann::json json = to_json(result.scores, at);
  if (result.outcome.realised) json["realised"] = to_json(*result.outcome.realised);
  if (const auto series = result.m_opt(); !series.empty()) json["m_opt"] = m_opt_json(series);
  json["trial"] = result.trial.id.value;
  json["repeat"] = result.trial.repeat;
  json["seed"] = result.trial.seed;
  json["outcome"] = name_of(result.outcome.kind);
  json["ended_at_iteration"] = result.outcome.iteration;
  json["iterations_paid"] = result.iterations_paid;
  if (!result.outcome.message.empty()) json["message"] = result.outcome.message;
  return json;
}

nlohmann::json tolerance_json(const PolicyResult& policy, RankAt at) {
  std::vector<Scores> scores;
  nlohmann::json runs = nlohmann::json::array();
  for (const TrialResult& run : policy.scaled) {
    scores.push_back(run.scores);
    runs.push_back(trial_json(run, at));
    runs.back()["scale"] = run.trial.scale;
  }
  nlohmann::json json = to_json(tolerance(scores));
  json["trial"] = policy.search.trial.id.value;
  json["runs"] = std::move(runs);
  return json;
}

nlohmann::json policy_json(const PolicyResult& result, RankAt at) {
  nlohmann::json json = trial_json(result.search, at);
  json["policy"] = to_json(result.search.trial.policy);
  json["name"] = result.name;
  json["description"] = describe(result.search.trial.policy);
  if (!result.scaled.empty()) json["tolerance"] = tolerance_json(result, at);
  if (!result.verified) return json;
  json["verified"] = to_json(*result.verified);
  for (const TrialResult& repeat : result.repeats) {
    json["repeats"].push_back(trial_json(repeat, at));
  }
  return json;
}

// How sure the order of neighbours is; null without two repeats of each.
nlohmann::json order_json(const CampaignResults& results) {
  std::vector<std::vector<double>> values;
  std::vector<std::int64_t> trials;
  for (const std::size_t index : results.verified) {
    const PolicyResult& policy = results.policies[index];
    std::vector<double> of_policy;
    for (const TrialResult& repeat : policy.repeats) {
      if (const auto value = ranked_value(repeat.scores, results.by, results.at))
        of_policy.push_back(*value);
    }
    if (of_policy.size() != policy.repeats.size() || of_policy.size() < 2) continue;
    trials.push_back(policy.search.trial.id.value);
    values.push_back(std::move(of_policy));
  }
  if (values.size() < 2) return nullptr;
  OrderOptions options;
  options.alpha = results.alpha;
  options.max_repeats = std::max<std::int64_t>(2, results.most_repeats);
  const SettledOrder order = settled_order(values, options);
  nlohmann::json neighbours = nlohmann::json::array();
  for (const NeighbourOrder& pair : order.neighbours) {
    neighbours.push_back({{"better", trials[order.order[pair.better]]},
                          {"worse", trials[order.order[pair.better + 1]]},
                          {"difference", pair.test.difference},
                          {"low", pair.test.low},
                          {"high", pair.test.high},
                          {"adjusted_p", pair.adjusted_p},
                          {"settled", pair.settled}});
  }
  return {{"alpha", results.alpha}, {"neighbours", std::move(neighbours)}};
}

}  // namespace

std::vector<MoptValue> TrialResult::m_opt() const {
  std::vector<MoptValue> series;
  for (const MetricPoint& point : points)
    series.insert(series.end(), point.m_opt.begin(), point.m_opt.end());
  return series;
}

std::string PolicyResult::words() const { return named(name, describe(search.trial.policy)); }

std::vector<const PolicyResult*> CampaignResults::top(std::size_t count) const {
  std::vector<const PolicyResult*> best;
  for (const std::size_t index : verified) best.push_back(&policies[index]);
  for (const PolicyResult& policy : policies) {
    if (!policy.verified) best.push_back(&policy);
  }
  std::erase_if(best, [](const PolicyResult* policy) {
    return !policy->search.scores.ended_well || !policy->search.scores.measured;
  });
  best.resize(std::min(best.size(), count));
  return best;
}

Result<CampaignResults> collect_results(const StoredState& stored, const Digest& hash) {
  const auto campaign = std::ranges::find(stored.campaigns, hash, &CampaignRecord::hash);
  if (campaign == stored.campaigns.end()) {
    return fail(fmt::format("the store has no campaign {}", hash.hex().substr(0, 8)));
  }
  auto experiment = experiment_from_json(campaign->experiment);
  if (!experiment) return tl::unexpected(experiment.error());
  CampaignResults results{*campaign, experiment->rank_by, experiment->rank_at,
                          experiment->evaluate_on, experiment->target};
  results.alpha = experiment->verify_settled.value_or(results.alpha);
  results.most_repeats = experiment->verify_repeats;
  results.has_rungs = has_rungs(experiment->method);
  if (experiment->tolerance_top > 0) results.scales = experiment->tolerance_scales;

  JobIndex jobs;
  for (const JobRecord& job : stored.jobs) jobs[job.id] = &job;
  const StageCosts costs(stored, jobs, campaign->id);
  results.cost = costs.total();
  const auto result = [&](const TrialRecord& trial, const JobRecord& job) {
    TrialResult one = result_of(stored, trial, job);
    one.iterations_paid = costs.paid_by(trial);
    return one;
  };
  std::vector<PolicyResult> policies;
  std::map<TrialId, std::vector<TrialResult>> repeats;
  std::map<TrialId, std::vector<TrialResult>> scaled;
  std::map<TrialId, std::int64_t> lengths;  // of the search's
  std::int64_t candidate = -1;  // of the newest search trial: verification counts in between
  for (const TrialRecord& trial : stored.trials) {
    if (trial.campaign != campaign->id) continue;
    if (trial.phase == TrialPhase::kSearch) {
      ++candidate;
      lengths[trial.id] = trial.plan.iterations;
    }
    const auto job = jobs.find(trial.job);
    if (trial.state <= TrialState::kRunning || job == jobs.end()) {
      ++results.open;
    } else if (trial.phase == TrialPhase::kSearch) {
      policies.push_back(PolicyResult{
          result(trial, *job->second), {}, {}, candidate_name(*experiment, candidate)});
    } else if (lengths[trial.verifies] == trial.plan.iterations) {
      // Older ones are of a length that an extension has left behind.
      auto& runs = trial.phase == TrialPhase::kVerify ? repeats : scaled;
      runs[trial.verifies].push_back(result(trial, *job->second));
    }
  }
  for (PolicyResult& policy : policies) {
    policy.repeats = std::move(repeats[policy.search.trial.id]);
    policy.scaled = with_own_scale(policy.search, std::move(scaled[policy.search.trial.id]),
                                   experiment->tolerance_scales);
  }
  rank_all(results, std::move(policies));
  return results;
}

nlohmann::json to_json(const CampaignResults& results) {
  nlohmann::json json{
      {"campaign",
       {{"id", results.campaign.id.value},
        {"name", results.campaign.name},
        {"hash", results.campaign.hash.hex()},
        {"state", name_of(results.campaign.state)},
        {"busy_seconds", results.campaign.busy_seconds}}},
      {"ranked_by", name_of(results.by)},
      {"ranked_at", name_of(results.at)},
      {"evaluated_on", name_of(results.evaluated_on)},
      {"open", results.open},
      {"iterations",
       {{"asked", results.cost.asked},
        {"trained", results.cost.trained},
        {"shared", results.cost.shared},
        {"known", results.cost.known},
        {"ended_early", results.cost.early}}},
      {"best", nullptr},
      {"policies", nlohmann::json::array()},
      {"verified", nlohmann::json::array()},
  };
  if (const auto best = results.top(1); !best.empty()) {
    json["best"] = policy_json(*best.front(), results.at);
  }
  for (std::size_t i = 0; i < results.policies.size(); ++i) {
    json["policies"].push_back(policy_json(results.policies[i], results.at));
    json["policies"].back()["rank"] = i + 1;
  }
  json["order"] = order_json(results);
  for (std::size_t i = 0; i < results.verified.size(); ++i) {
    const PolicyResult& policy = results.policies[results.verified[i]];
    nlohmann::json row = to_json(*policy.verified);
    row["rank"] = i + 1;
    row["trial"] = policy.search.trial.id.value;
    json["verified"].push_back(std::move(row));
  }
  return json;
}

}  // namespace lrtune

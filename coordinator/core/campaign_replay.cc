#include "coordinator/core/campaign_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/config/run_plan.h"
#include "common/policy/policy_json.h"
#include "coordinator/core/ranking_replay.h"
#include "coordinator/core/search_log.h"
#include "coordinator/search/search.h"

namespace lrtune {
namespace {

const TrainingIdentity& identity_of(const CampaignHistory& history, const TrialRecord& trial) {
  return std::ranges::find(history.identities, trial.identity, &IdentityRecord::hash)->identity;
}

// `made`: what the search says that the candidate is, to be trained for `iterations`.
std::string difference_of(const TrialRecord& trial, const Result<Policy>& made,
                          std::int64_t iterations) {
  if (!made) {
    return fmt::format("candidate {} cannot be made again: {}", trial.number, made.error().message);
  }
  if (*made != trial.policy) {
    const std::string was = describe(trial.policy), now = describe(*made);
    const bool told_apart = was != now;
    return fmt::format("candidate {} was {}, and would now be {}", trial.number,
                       told_apart ? was : to_json(trial.policy).dump(),
                       told_apart ? now : to_json(*made).dump());
  }
  if (iterations != trial.plan.iterations) {
    return fmt::format("candidate {} has {} iterations, and would now have {}", trial.number,
                       trial.plan.iterations, iterations);
  }
  return {};
}

std::string words(const SearchDecision& decision) { return log_numbers(decision).text(); }

// A run that was made longer keeps what poly, or a controller, took from its length by default: the
// ends that its functions may have taken for it.
std::set<std::int64_t> earlier_lengths(const TrialRecord& trial) {
  std::set<std::int64_t> lengths;
  std::int64_t begin = 0;
  for (const Segment& segment : trial.policy.segments) {
    if (const std::int64_t end = begin + segment.function.l; end < trial.plan.iterations)
      lengths.insert(end);
    begin = segment.until;
  }
  if (trial.policy.plateau) lengths.insert(trial.policy.plateau->length);
  return lengths;
}

// The candidate as the search makes it for this length of the run, or made it for an earlier one
// that the trial was extended from.
Result<Policy> made_again(const TrialRecord& trial, const nlohmann::json& candidate,
                          PolicyContext context, bool extended) {
  auto made = policy_from_json(candidate, context, {});
  if (!made || *made == trial.policy || !extended) return made;
  for (const std::int64_t length : earlier_lengths(trial)) {
    context.run_iterations = length;
    auto earlier = policy_from_json(candidate, context, {});
    if (earlier && *earlier == trial.policy) return earlier;
  }
  return made;
}

Result<CampaignReplay> replay_draws(const CampaignHistory& history, const Experiment& experiment) {
  CampaignReplay replayed;
  for (const TrialRecord& trial : history.candidates) {
    // Its number counts the verification between two extensions, too.
    const std::int64_t index = replayed.candidates++;
    const TrainingIdentity& identity = identity_of(history, trial);
    const auto plan = run_plan_of(experiment, identity.train, identity.data);
    if (!plan) return tl::unexpected(plan.error());
    const auto policy = made_again(trial, candidate_policy(experiment, index),
                                   policy_context_of(*plan, identity.train, identity.data),
                                   history.campaign.extensions > 0);
    // What has diverged is not trained again when runs are made longer.
    const bool left = trial.state == TrialState::kDiverged && history.campaign.extensions > 0;
    replayed.difference =
        difference_of(trial, policy, left ? trial.plan.iterations : plan->iterations);
    if (!replayed.difference.empty()) break;
  }
  return replayed;
}

Result<std::vector<SearchLogEntry>> entries_of(const CampaignHistory& history) {
  std::vector<SearchLogEntry> entries;
  for (const DecisionRecord& decision : history.log) {
    if (decision.code == kWeighed || decision.code == kStoppedEarly) continue;
    auto entry = log_entry(decision);
    if (!entry) return tl::unexpected(entry.error());
    entries.push_back(*std::move(entry));
  }
  return entries;
}

// Each candidate's last rung, as the log has it.
std::vector<std::size_t> last_rungs(std::span<const SearchLogEntry> entries, std::size_t count) {
  std::vector<std::size_t> rungs(count);
  for (const SearchLogEntry& entry : entries) {
    const HalvingAction& action = entry.decision.action;
    if (!entry.result) rungs.at(static_cast<std::size_t>(action.candidate)) = action.rung;
  }
  return rungs;
}

Result<CampaignReplay> replay_log(const CampaignHistory& history, const Experiment& experiment) {
  CampaignReplay replayed;
  if (history.candidates.empty()) return replayed;
  const TrainingIdentity& identity = identity_of(history, history.candidates.front());
  const auto plan = run_plan_of(experiment, identity.train, identity.data);
  if (!plan) return tl::unexpected(plan.error());
  const auto asked = adaptive_plan(experiment, *plan, identity.train, identity.data);
  if (!asked) return tl::unexpected(asked.error());
  const auto entries = entries_of(history);
  if (!entries) return tl::unexpected(entries.error());
  AdaptiveSearch search(experiment, *asked);
  if (const auto difference = replay(search, *entries)) {
    replayed.difference =
        fmt::format("entry {} of the log was {}, and would now be {}", difference->entry + 1,
                    words(difference->recorded), words(difference->replayed));
    return replayed;
  }
  std::int64_t proposed = 0;
  for (const SearchLogEntry& entry : *entries) {
    const bool promotes = entry.decision.action.kind == HalvingAction::Kind::kPromote;
    ++(entry.result ? replayed.results : promotes ? replayed.promotions : proposed);
  }
  if (proposed != std::ssize(history.candidates)) {
    replayed.difference = fmt::format("{} candidates are in the log, and {} trials in the store",
                                      proposed, history.candidates.size());
    return replayed;
  }
  const auto rungs = last_rungs(*entries, history.candidates.size());
  const PolicyContext context = policy_context_of(*plan, identity.train, identity.data);
  for (const TrialRecord& trial : history.candidates) {
    const auto policy = policy_from_json(search.policy_of(trial.number), context, {});
    const std::size_t rung = rungs[static_cast<std::size_t>(trial.number)];
    ++replayed.candidates;
    replayed.difference = difference_of(trial, policy, search.plan().halving.rungs.at(rung));
    if (!replayed.difference.empty()) break;
  }
  return replayed;
}

// The trial's points up to `iteration`.
std::vector<MetricPoint> points_until(const CampaignHistory& history, const TrialRecord& trial,
                                      std::int64_t iteration) {
  std::vector<MetricPoint> points;
  for (auto at = std::ranges::lower_bound(history.points, trial.job, {}, &PointRecord::job);
       at != history.points.end() && at->job == trial.job; ++at) {
    if (at->point.iteration <= iteration) points.push_back(at->point);
  }
  return points;
}

// The stop again, with what was weighed before it.
std::optional<EarlyStop> judged_again(const CampaignHistory& history, const Experiment& experiment,
                                      const StopKnowledge& knowledge, const TrialRecord& trial,
                                      std::int64_t iteration) {
  const TrainingIdentity& identity = identity_of(history, trial);
  const auto after = median_after(experiment, trial.plan, identity.train, identity.data);
  if (!after) return std::nullopt;
  const std::int64_t every = trial.plan.evaluate_every;
  const std::int64_t next = std::min((iteration / every + 1) * every, trial.plan.iterations);
  return knowledge.judge(
      run_so_far(points_until(history, trial, iteration), experiment.rank_by, trial.plan.target),
      next, *after);
}

void replay_stops(const CampaignHistory& history, const Experiment& experiment,
                  CampaignReplay& replayed) {
  StopKnowledge knowledge(experiment.stop);
  std::set<TrialId> weighed;
  for (const DecisionRecord& decision : history.log) {
    if (decision.code != kWeighed && decision.code != kStoppedEarly) continue;
    const auto trial = std::ranges::find(history.candidates, decision.trial, &TrialRecord::id);
    if (trial == history.candidates.end()) continue;
    if (decision.code == kWeighed) {
      if (!weighed.insert(trial->id).second) continue;
      knowledge.add(run_so_far(points_until(history, *trial, trial->plan.iterations),
                               experiment.rank_by, trial->plan.target));
      continue;
    }
    ++replayed.stops;
    const auto iteration = decision.numbers.json().at("iteration").get<std::int64_t>();
    const auto again = judged_again(history, experiment, knowledge, *trial, iteration);
    const std::string made = again ? log_numbers(*again).text() : "none";
    if (made == decision.numbers.text()) continue;
    replayed.difference = fmt::format("the stop of trial {} was {}, and would now be {}",
                                      trial->id.value, decision.numbers.text(), made);
    return;
  }
}

// Of a search by results, whose runs have several lengths.
std::optional<std::int64_t> whole_run(const CampaignHistory& history,
                                      const Experiment& experiment) {
  if (!decides_by_results(experiment.method) || history.candidates.empty()) return std::nullopt;
  const TrainingIdentity& identity = identity_of(history, history.candidates.front());
  const auto plan = run_plan_of(experiment, identity.train, identity.data);
  return plan ? std::optional(plan->iterations) : std::nullopt;
}

}  // namespace

Result<CampaignReplay> replay_campaign(const CampaignHistory& history) {
  const auto experiment = experiment_from_json(history.campaign.experiment);
  if (!experiment) return tl::unexpected(experiment.error());
  auto replayed = decides_by_results(experiment->method) ? replay_log(history, *experiment)
                                                         : replay_draws(history, *experiment);
  if (replayed && replayed->difference.empty()) replay_stops(history, *experiment, *replayed);
  if (replayed && replayed->difference.empty()) {
    RankingReplay ranked = replay_rankings(history, *experiment, whole_run(history, *experiment));
    replayed->places = ranked.places;
    replayed->repeats = ranked.repeats;
    replayed->difference = std::move(ranked.difference);
  }
  return replayed;
}

}  // namespace lrtune

// Searches that decide by results: which candidate is trained next, and how far, is asked when a
// slot has nothing to do. What they were told and what they decided is written down as it happens,
// so that a later coordinator goes on from the same state of mind.
#include <fmt/format.h>

#include <algorithm>

#include "common/config/run_plan.h"
#include "common/policy/policy_json.h"
#include "coordinator/core/campaign_ranking.h"
#include "coordinator/core/core_state.h"
#include "coordinator/core/search_log.h"
#include "coordinator/ranking/ranking.h"

namespace lrtune {
namespace {

using Kind = HalvingAction::Kind;

// What the first trial was made with.
Result<ResolvedTrain> train_of_first(const CoreState& state, const Campaign& campaign) {
  const TrialRecord& first = state.trials.at(campaign.candidates.front());
  ResolvedTrain train;
  train.hash = first.identity;
  train.identity = state.identities.at(first.identity);
  train.known = true;
  auto plan = run_plan_of(campaign.experiment, train.identity.train, train.identity.data);
  if (!plan) return tl::unexpected(plan.error());
  train.plan = *plan;
  train.context = policy_context_of(*plan, train.identity.train, train.identity.data);
  return train;
}

std::size_t& rungs_observed(CampaignSearch& search, std::int64_t candidate) {
  const auto place = static_cast<std::size_t>(candidate);
  if (search.observed.size() <= place) search.observed.resize(place + 1);
  return search.observed[place];
}

// Brings a new search to where the log ends.
Result<void> follow_log(CampaignSearch& search, const std::vector<DecisionRecord>& log) {
  std::vector<SearchLogEntry> entries;
  for (const DecisionRecord& decision : log) {
    if (decision.code == kWeighed || decision.code == kStoppedEarly) continue;
    auto entry = log_entry(decision);
    if (!entry) return tl::unexpected(entry.error());
    if (entry->result) rungs_observed(search, entry->result->candidate) = entry->result->rung + 1;
    entries.push_back(*std::move(entry));
  }
  const auto difference = replay(search.decides, entries);
  if (!difference) return {};
  return fail(
      fmt::format("its search cannot go on: decision {} of its log was {}, and would now be {}",
                  difference->entry + 1, log_numbers(difference->recorded).text(),
                  log_numbers(difference->replayed).text()));
}

void observe_all(CoreState& state, Campaign& campaign) {
  for (const TrialId id : campaign.candidates) observe_end(state, campaign, state.trials.at(id));
  state.seeking.insert(campaign.record.id);
}

Result<void> take_up(Campaign& campaign, ResolvedTrain train) {
  auto plan =
      adaptive_plan(campaign.experiment, train.plan, train.identity.train, train.identity.data);
  if (!plan) return tl::unexpected(plan.error());
  CampaignSearch search{
      AdaptiveSearch(campaign.experiment, *std::move(plan)), std::move(train), {}, {}};
  if (auto followed = follow_log(search, campaign.search_log); !followed) return followed;
  campaign.search = std::move(search);
  return {};
}

std::optional<std::size_t> rung_of(const CampaignSearch& search, const TrialRecord& trial) {
  const auto& rungs = search.decides.plan().halving.rungs;
  const auto rung = std::find(rungs.begin(), rungs.end(), trial.plan.iterations);
  if (rung == rungs.end()) return std::nullopt;
  return static_cast<std::size_t>(rung - rungs.begin());
}

bool start_candidate(CoreState& state, Campaign& campaign, const SearchDecision& decision) {
  CampaignSearch& search = *campaign.search;
  const std::int64_t candidate = decision.action.candidate;
  auto policy = policy_from_json(search.decides.policy_of(candidate), search.train.context,
                                 "/search/policies");
  if (!policy) {
    fail_campaign(state, campaign,
                  fmt::format("candidate {}: {}", candidate, policy.error().message));
    return false;
  }
  RunPlan plan = search.train.plan;
  plan.iterations = search.decides.plan().halving.rungs.at(decision.action.rung);
  const TrialId id = add_candidate(state, campaign, *std::move(policy), plan, search.train);
  state.decide(campaign.record.id, id, std::string(kProposed), log_numbers(decision));
  return true;
}

void promote_candidate(CoreState& state, Campaign& campaign, const SearchDecision& decision) {
  const auto candidate = static_cast<std::size_t>(decision.action.candidate);
  TrialRecord& trial = state.trials.at(campaign.candidates.at(candidate));
  RunPlan plan = trial.plan;
  plan.iterations = campaign.search->decides.plan().halving.rungs.at(decision.action.rung);
  lengthen(state, campaign, trial, plan);
  state.decide(campaign.record.id, trial.id, std::string(kPromoted), log_numbers(decision));
}

// False: nothing is to be done until a result is known, or at all.
bool ask(CoreState& state, Campaign& campaign) {
  CampaignSearch& search = *campaign.search;
  if (!search.next) search.next = search.decides.next();
  const SearchDecision decision = *search.next;
  const Kind kind = decision.action.kind;
  if (kind == Kind::kWait || kind == Kind::kDone) {
    search.next.reset();
    state.seeking.erase(campaign.record.id);
    if (campaign.open == 0) end_phase(state, campaign);
    return false;
  }
  if (kind == Kind::kPromote) {
    promote_candidate(state, campaign, decision);
  } else if (!start_candidate(state, campaign, decision)) {
    return false;
  }
  search.next.reset();
  // What it needs may be known already.
  const auto candidate = static_cast<std::size_t>(decision.action.candidate);
  observe_end(state, campaign, state.trials.at(campaign.candidates[candidate]));
  return true;
}

std::int64_t waiting_jobs(const Campaign& campaign) {
  std::int64_t waiting = 0;
  for (const auto& [identity, jobs] : campaign.queue) waiting += std::ssize(jobs);
  return waiting;
}

std::int64_t free_slots(const CoreState& state, const Campaign& campaign) {
  const ResolvedTrain& train = campaign.search->train;
  std::int64_t free = 0;
  for (const PeerId& peer : state.with_room) {
    const Worker& worker = state.workers.at(peer);
    if (!worker.has_slot() || worker.refuses(train.hash, state.now.steady)) continue;
    if (!offers(worker.numerics, train.identity)) continue;
    free += worker.slots - std::ssize(worker.jobs);
  }
  return free;
}

}  // namespace

bool is_seeking(const Campaign& campaign) {
  return campaign.active && !campaign.record.paused && campaign.search &&
         campaign.record.state == CampaignState::kSearching;
}

void begin_search(CoreState& state, Campaign& campaign) {
  auto train = resolve_train(campaign, campaign.experiment.train.tree);
  if (train && !campaign.candidates.empty() && !campaign.search) {
    const TrialRecord& first = state.trials.at(campaign.candidates.front());
    if (state.identities.at(first.identity).data != train->identity.data) {
      train =
          fail(fmt::format("data set {} is not what the campaign's first trials were trained on",
                           train->identity.train.dataset.name));
    }
  }
  if (!train) return fail_campaign(state, campaign, train.error().message);
  if (!campaign.search) {
    if (auto begun = take_up(campaign, *std::move(train)); !begun)
      return fail_campaign(state, campaign, begun.error().message);
  }
  campaign.surveys.clear();
  campaign.record.state = CampaignState::kSearching;
  state.write(campaign.record);
  share_stages(state, campaign.trials);
  observe_all(state, campaign);
  // From the first candidate on the campaign can be taken up without a survey.
  if (campaign.candidates.empty()) ask(state, campaign);
}

void resume_search(CoreState& state, Campaign& campaign) {
  if (!campaign.search) {
    auto begun = train_of_first(state, campaign).and_then([&](ResolvedTrain train) {
      return take_up(campaign, std::move(train));
    });
    if (!begun) return fail_campaign(state, campaign, begun.error().message);
  }
  observe_all(state, campaign);
}

namespace {

// What a rung's result is. A path of a tree shares what lies before its last boundary with others:
// its best counts from there on, or one that has collapsed since would live on what they reached.
std::optional<double> value_of(const CoreState& state, const Campaign& campaign,
                               const TrialRecord& trial, std::size_t rung) {
  const Experiment& experiment = campaign.experiment;
  const bool whole =
      experiment.method != SearchMethod::kTree || rung == 0 || experiment.rank_at != RankAt::kBest;
  if (whole)
    return ranked_value(scores_of(state, trial.id), experiment.rank_by, experiment.rank_at);
  const Job& job = state.jobs.at(trial.job);
  const std::int64_t boundary = campaign.search->decides.plan().halving.rungs.at(rung - 1);
  const auto own = std::ranges::find_if(
      job.points, [&](const MetricPoint& point) { return point.iteration > boundary; });
  const auto& outcome = job.record.outcome;
  const Scores scores = scores_of_run(trial, {own, job.points.end()},
                                      outcome ? std::optional(outcome->kind) : std::nullopt);
  return ranked_value(scores, experiment.rank_by, RankAt::kBest);
}

}  // namespace

void observe_end(CoreState& state, Campaign& campaign, const TrialRecord& trial) {
  const bool ended = trial.state > TrialState::kRunning && trial.state != TrialState::kCancelled;
  if (!campaign.search || trial.phase != TrialPhase::kSearch || !ended) return;
  CampaignSearch& search = *campaign.search;
  const auto rung = rung_of(search, trial);
  std::size_t& observed = rungs_observed(search, trial.number);
  if (!rung || observed > *rung) return;
  observed = *rung + 1;
  const RungResult result{trial.number, *rung, value_of(state, campaign, trial, *rung)};
  search.decides.observe(result);
  state.decide(campaign.record.id, trial.id, std::string(kObserved), log_numbers(result));
  state.seeking.insert(campaign.record.id);
}

// One that is asked decides by what is known now: none is asked before a slot is free. A candidate
// costs a hash for each of its iterations: these are what a step may take.
void seek(CoreState& state) {
  constexpr std::int64_t kIterations = 40'000;
  constexpr std::int64_t kQuestions = 50;
  std::int64_t iterations = 0;
  std::int64_t questions = 0;
  state.seeking_cut = false;
  const std::set<CampaignId> seeking = state.seeking;
  for (const CampaignId id : seeking) {
    Campaign& campaign = state.campaigns.at(id);
    if (!is_seeking(campaign)) {
      state.seeking.erase(id);
      continue;
    }
    const std::int64_t free = free_slots(state, campaign);
    while (campaign.open == 0 || waiting_jobs(campaign) < free) {
      if (iterations >= kIterations || questions++ >= kQuestions) {
        state.seeking_cut = true;
        return;
      }
      if (!ask(state, campaign)) break;
      iterations += state.trials.at(campaign.candidates.back()).plan.iterations;
    }
  }
}

}  // namespace lrtune

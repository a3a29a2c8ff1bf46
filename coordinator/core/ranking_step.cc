#include <algorithm>

#include "coordinator/core/core_state.h"
#include "coordinator/ranking/ranking.h"
#include "coordinator/tuning/settled_order.h"
#include "coordinator/tuning/verification.h"

namespace lrtune {
namespace {

constexpr std::size_t kBestKept = 10;  // for people who ask

nlohmann::json with_rank(nlohmann::json scores, std::size_t rank, std::size_t of, RankBy by) {
  scores["rank"] = rank;
  scores["of"] = of;
  scores["by"] = name_of(by);
  return scores;
}

struct SearchRanking {
  std::vector<Scores> scores;      // by candidate
  std::vector<std::size_t> order;  // candidates, best first

  RankedTrial row(std::size_t place, const Campaign& campaign) const {
    const std::size_t index = order[place];
    return {campaign.candidates[index], to_json(scores[index], campaign.experiment.rank_at)};
  }
};

SearchRanking search_ranking(const CoreState& state, const Campaign& campaign) {
  SearchRanking ranking;
  for (const TrialId id : campaign.candidates) ranking.scores.push_back(scores_of(state, id));
  ranking.order = rank(ranking.scores, campaign.experiment.rank_by, campaign.experiment.rank_at);
  if (!has_rungs(campaign.experiment.method)) return ranking;
  std::vector<std::int64_t> lengths;
  for (const TrialId id : campaign.candidates)
    lengths.push_back(state.trials.at(id).plan.iterations);
  ranking.order = by_rung(std::move(ranking.order), ranking.scores, lengths);
  return ranking;
}

struct VerificationRanking {
  std::vector<TrialId> verified;         // in the order of the search's ranking
  std::vector<RepeatedScores> combined;  // of each
  std::vector<std::size_t> order;        // of them, best first

  RankedTrial row(std::size_t place, const Campaign&) const {
    return {verified[order[place]], to_json(combined[order[place]])};
  }
};

VerificationRanking verification_ranking(const CoreState& state, const Campaign& campaign) {
  VerificationRanking ranking;
  std::map<TrialId, std::vector<Scores>> repeats;
  for (const TrialId id : campaign.trials) {
    const TrialRecord& trial = state.trials.at(id);
    if (trial.phase != TrialPhase::kVerify || !state.is_current(trial)) continue;
    auto& scores = repeats[trial.verifies];
    if (scores.empty()) ranking.verified.push_back(trial.verifies);
    scores.push_back(scores_of(state, id));
  }
  for (const TrialId id : ranking.verified)
    ranking.combined.push_back(combine(repeats.at(id), campaign.experiment.rank_at));
  ranking.order = rank_repeated(ranking.combined, campaign.experiment.rank_by);
  return ranking;
}

template <typename Ranking>
void keep_best(Campaign& campaign, const Ranking& ranking) {
  campaign.best.clear();
  for (std::size_t place = 0; place < std::min(ranking.order.size(), kBestKept); ++place)
    campaign.best.push_back(ranking.row(place, campaign));
}

}  // namespace

Scores scores_of(const CoreState& state, TrialId id) {
  const TrialRecord& trial = state.trials.at(id);
  const Job& job = state.jobs.at(trial.job);
  const bool ended = job.record.outcome && trial.state != TrialState::kStopped;
  return score(job.points, ended ? job.record.outcome->kind : OutcomeKind::kStopped,
               trial.plan.target);
}

std::vector<TrialId> rank_search(CoreState& state, Campaign& campaign) {
  const Experiment& experiment = campaign.experiment;
  const SearchRanking ranking = search_ranking(state, campaign);
  keep_best(campaign, ranking);
  std::vector<TrialId> well;
  const std::size_t count = ranking.order.size();
  for (std::size_t place = 0; place < count; ++place) {
    const std::size_t candidate = ranking.order[place];
    const TrialId id = campaign.candidates[candidate];
    const Scores& score = ranking.scores[candidate];
    state.write(RankingRecord{campaign.record.id, TrialPhase::kSearch, static_cast<int>(place) + 1,
                              id, to_flat_json(score, experiment.rank_at)});
    state.decide(
        campaign.record.id, id, "ranked",
        to_flat_json(score, experiment.rank_at,
                     {{"rank", place + 1}, {"of", count}, {"by", name_of(experiment.rank_by)}}));
    // Repeats compare whole runs.
    const bool whole = !campaign.search || state.trials.at(id).plan.iterations ==
                                               campaign.search->train.plan.iterations;
    if (score.ended_well && score.measured && whole) well.push_back(id);
  }
  return well;
}

std::vector<TrialId> rank_verification(CoreState& state, Campaign& campaign) {
  const Experiment& experiment = campaign.experiment;
  const VerificationRanking ranking = verification_ranking(state, campaign);
  keep_best(campaign, ranking);
  std::vector<TrialId> well;
  const std::size_t count = ranking.order.size();
  for (std::size_t place = 0; place < count; ++place) {
    const auto [id, numbers] = ranking.row(place, campaign);
    state.write(RankingRecord{campaign.record.id, TrialPhase::kVerify, static_cast<int>(place) + 1,
                              id, numbers});
    state.decide(campaign.record.id, id, "verified",
                 with_rank(numbers, place + 1, count, experiment.rank_by));
    if (ranking.combined[ranking.order[place]].ended_well > 0) well.push_back(id);
  }
  return well;
}

void repeat_unsettled(CoreState& state, Campaign& campaign) {
  const Experiment& experiment = campaign.experiment;
  if (!experiment.verify_settled) return;
  std::map<TrialId, std::vector<double>> values;  // of those that always ended well
  std::map<TrialId, std::uint32_t> repeats;
  for (const TrialId id : campaign.trials) {
    const TrialRecord& trial = state.trials.at(id);
    if (trial.phase != TrialPhase::kVerify || !state.is_current(trial)) continue;
    repeats[trial.verifies] = std::max(repeats[trial.verifies], trial.repeat);
    const auto value = ranked_value(scores_of(state, id), experiment.rank_by, experiment.rank_at);
    if (value) values[trial.verifies].push_back(*value);
  }
  std::vector<TrialId> policies;
  std::vector<std::vector<double>> compared;
  for (auto& [id, of_policy] : values) {
    if (of_policy.size() != repeats.at(id)) continue;  // its place is at the end
    policies.push_back(id);
    compared.push_back(std::move(of_policy));
  }
  const OrderOptions options{.alpha = *experiment.verify_settled,
                             .min_repeats = kFirstRepeats,
                             .max_repeats = experiment.verify_repeats};
  const SettledOrder order = settled_order(compared, options);
  const auto settled = std::count_if(order.neighbours.begin(), order.neighbours.end(),
                                     [](const NeighbourOrder& pair) { return pair.settled; });
  state.decide(campaign.record.id, {}, "order",
               {{"settled", settled},
                {"neighbours", order.neighbours.size()},
                {"alpha", *experiment.verify_settled},
                {"repeated", order.repeat.size()}});
  for (const std::size_t place : order.repeat)
    make_repeat(state, campaign, policies[place], repeats.at(policies[place]) + 1);
}

void recall_best(const CoreState& state, Campaign& campaign) {
  const CampaignState phase = campaign.record.state;
  if (!campaign.best.empty() || phase < CampaignState::kVerifying) return;
  if (campaign.experiment.normalised.is_null()) {  // it had ended before this coordinator
    auto experiment = experiment_from_json(campaign.record.experiment);
    if (!experiment) return;
    campaign.experiment = *std::move(experiment);
  }
  const bool verification =
      std::any_of(campaign.trials.begin(), campaign.trials.end(),
                  [&](TrialId id) { return state.trials.at(id).phase == TrialPhase::kVerify; });
  const bool stopped = phase == CampaignState::kFailed || phase == CampaignState::kCancelled;
  if (stopped && !verification) return;  // perhaps in the middle of its search
  const bool verified = phase == CampaignState::kScaling || phase == CampaignState::kDone;
  if (verification && verified) keep_best(campaign, verification_ranking(state, campaign));
  if (campaign.best.empty()) keep_best(campaign, search_ranking(state, campaign));
}

void note_tolerance(CoreState& state, const Campaign& campaign) {
  std::vector<TrialId> policies;
  std::map<TrialId, std::vector<Scores>> scaled;
  for (const TrialId id : campaign.trials) {
    const TrialRecord& trial = state.trials.at(id);
    if (trial.phase != TrialPhase::kTolerance || !state.is_current(trial)) continue;
    auto& scores = scaled[trial.verifies];
    if (scores.empty()) policies.push_back(trial.verifies);
    scores.push_back(scores_of(state, id));
  }
  const auto& scales = campaign.experiment.tolerance_scales;
  const bool has_one = std::find(scales.begin(), scales.end(), 1.0) != scales.end();
  for (const TrialId id : policies) {
    if (has_one) scaled[id].push_back(scores_of(state, id));
    state.decide(campaign.record.id, id, "tolerance", to_json(tolerance(scaled[id])));
  }
}

}  // namespace lrtune

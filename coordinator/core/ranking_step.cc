#include <algorithm>
#include <array>

#include "coordinator/core/campaign_ranking.h"
#include "coordinator/core/core_state.h"
#include "coordinator/ranking/ranking.h"

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
  std::vector<std::int64_t> lengths;
  for (const TrialId id : campaign.candidates) {
    ranking.scores.push_back(scores_of(state, id));
    lengths.push_back(state.trials.at(id).plan.iterations);
  }
  ranking.order = order_of_candidates(campaign.experiment, ranking.scores, lengths);
  return ranking;
}

std::vector<JudgedRepeat> judged_repeats(const CoreState& state, const Campaign& campaign) {
  std::vector<JudgedRepeat> repeats;
  for (const TrialId id : campaign.trials) {
    const TrialRecord& trial = state.trials.at(id);
    if (trial.phase == TrialPhase::kVerify && state.is_current(trial))
      repeats.push_back({&trial, scores_of(state, id)});
  }
  return repeats;
}

struct VerificationRanking : RankedRepeats {
  RankedTrial row(std::size_t place, const Campaign&) const {
    return {verified[order[place]], to_json(combined[order[place]])};
  }
};

VerificationRanking verification_ranking(const CoreState& state, const Campaign& campaign) {
  return {rank_repeats(campaign.experiment, judged_repeats(state, campaign))};
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
  const auto& outcome = job.record.outcome;
  return scores_of_run(trial, job.points, outcome ? std::optional(outcome->kind) : std::nullopt);
}

std::vector<TrialId> rank_search(CoreState& state, Campaign& campaign) {
  const Experiment& experiment = campaign.experiment;
  const SearchRanking ranking = search_ranking(state, campaign);
  keep_best(campaign, ranking);
  std::optional<std::int64_t> whole;
  if (campaign.search) whole = campaign.search->train.plan.iterations;
  // That of an earlier verification was of other runs; perhaps none is repeated now.
  if (campaign.record.extensions > 0)
    state.write(RankingRecord{campaign.record.id, TrialPhase::kVerify, 0, {}, {}});
  std::vector<TrialId> well;
  const std::size_t count = ranking.order.size();
  for (std::size_t place = 0; place < count; ++place) {
    const std::size_t candidate = ranking.order[place];
    const TrialId id = campaign.candidates[candidate];
    const Scores& score = ranking.scores[candidate];
    state.write(RankingRecord{campaign.record.id, TrialPhase::kSearch, static_cast<int>(place) + 1,
                              id, to_flat_json(score, experiment.rank_at)});
    const std::array<FlatJson::Entry, 3> its_place = {
        {{"rank", place + 1}, {"of", count}, {"by", name_of(experiment.rank_by)}}};
    state.decide(campaign.record.id, id, "ranked",
                 to_flat_json(score, experiment.rank_at, its_place));
    if (is_repeatable(state.trials.at(id), score, whole)) well.push_back(id);
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
  const auto [order, next] = order_so_far(experiment, judged_repeats(state, campaign));
  const auto settled = std::count_if(order.neighbours.begin(), order.neighbours.end(),
                                     [](const NeighbourOrder& pair) { return pair.settled; });
  state.decide(campaign.record.id, {}, "order",
               {{"settled", settled},
                {"neighbours", order.neighbours.size()},
                {"alpha", *experiment.verify_settled},
                {"repeated", next.size()}});
  for (const auto& [policy, repeat] : next) make_repeat(state, campaign, policy, repeat);
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

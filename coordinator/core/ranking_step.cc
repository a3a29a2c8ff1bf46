#include <algorithm>

#include "coordinator/core/core_state.h"
#include "coordinator/ranking/ranking.h"

namespace lrtune {
namespace {

Scores scores_of(const CoreState& state, TrialId id) {
  const TrialRecord& trial = state.trials.at(id);
  const Job& job = state.jobs.at(trial.job);
  const OutcomeKind outcome = job.record.outcome ? job.record.outcome->kind : OutcomeKind::kFailed;
  return score(job.points, outcome, trial.plan.target);
}

constexpr std::size_t kBestKept = 10;  // for people who ask

nlohmann::json with_rank(nlohmann::json scores, std::size_t rank, std::size_t of, RankBy by) {
  scores["rank"] = rank;
  scores["of"] = of;
  scores["by"] = name_of(by);
  return scores;
}

}  // namespace

std::vector<TrialId> rank_search(CoreState& state, Campaign& campaign) {
  const Experiment& experiment = campaign.experiment;
  std::vector<Scores> scores;
  for (const TrialId id : campaign.candidates) scores.push_back(scores_of(state, id));
  const std::vector<std::size_t> order = rank(scores, experiment.rank_by, experiment.rank_at);
  std::vector<TrialId> well;
  campaign.best.clear();
  for (std::size_t place = 0; place < order.size(); ++place) {
    const TrialId id = campaign.candidates[order[place]];
    const Scores& score = scores[order[place]];
    if (campaign.best.size() < kBestKept)
      campaign.best.push_back({id, to_json(score, experiment.rank_at)});
    state.write(RankingRecord{campaign.record.id, TrialPhase::kSearch, static_cast<int>(place) + 1,
                              id, to_flat_json(score, experiment.rank_at)});
    state.decide(
        campaign.record.id, id, "ranked",
        to_flat_json(
            score, experiment.rank_at,
            {{"rank", place + 1}, {"of", order.size()}, {"by", name_of(experiment.rank_by)}}));
    if (score.ended_well && score.measured) well.push_back(id);
  }
  return well;
}

std::vector<TrialId> rank_verification(CoreState& state, Campaign& campaign) {
  const Experiment& experiment = campaign.experiment;
  std::vector<TrialId> verified;  // in the order of the search's ranking
  std::map<TrialId, std::vector<Scores>> repeats;
  for (const TrialId id : campaign.trials) {
    const TrialRecord& trial = state.trials.at(id);
    if (trial.phase != TrialPhase::kVerify || !state.is_current(trial)) continue;
    auto& scores = repeats[trial.verifies];
    if (scores.empty()) verified.push_back(trial.verifies);
    scores.push_back(scores_of(state, id));
  }
  std::vector<RepeatedScores> combined;
  for (const TrialId id : verified) combined.push_back(combine(repeats.at(id), experiment.rank_at));
  const std::vector<std::size_t> order = rank_repeated(combined, experiment.rank_by);
  campaign.best.clear();
  for (std::size_t place = 0; place < order.size(); ++place) {
    const TrialId id = verified[order[place]];
    const nlohmann::json numbers = to_json(combined[order[place]]);
    if (campaign.best.size() < kBestKept) campaign.best.push_back({id, numbers});
    state.write(RankingRecord{campaign.record.id, TrialPhase::kVerify, static_cast<int>(place) + 1,
                              id, numbers});
    state.decide(campaign.record.id, id, "verified",
                 with_rank(numbers, place + 1, order.size(), experiment.rank_by));
  }
  std::vector<TrialId> well;
  for (const std::size_t index : order) {
    if (combined[index].ended_well > 0) well.push_back(verified[index]);
  }
  return well;
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

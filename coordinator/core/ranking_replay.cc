#include "coordinator/core/ranking_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <tuple>
#include <vector>

#include "coordinator/core/campaign_ranking.h"
#include "coordinator/tuning/verification.h"

namespace lrtune {
namespace {

class RankingsAgain {
 public:
  RankingsAgain(const CampaignHistory& history, const Experiment& experiment,
                std::optional<std::int64_t> whole)
      : history_(history), experiment_(experiment), whole_(whole) {}

  RankingReplay run() {
    const CampaignState reached = history_.campaign.state;
    const bool verified = reached == CampaignState::kScaling || reached == CampaignState::kDone;
    if (verified || reached == CampaignState::kVerifying) compare_search();
    if (verified && same() && !history_.repeats.empty()) compare_verification();
    return std::move(replay_);
  }

 private:
  bool same() const { return replay_.difference.empty(); }

  std::vector<const RankingRecord*> written(TrialPhase phase) const {
    std::vector<const RankingRecord*> rows;
    for (const RankingRecord& row : history_.rankings) {
      if (row.phase == phase) rows.push_back(&row);
    }
    return rows;
  }

  // A run that did not end of itself may have gone further for others, or in an earlier attempt:
  // `last` is the iteration to which it was known, nothing if it was not measured.
  Scores scores_of(const TrialRecord& trial, const RankingRecord* row) const {
    std::vector<MetricPoint> points;
    for (auto at = std::ranges::lower_bound(history_.points, trial.job, {}, &PointRecord::job);
         at != history_.points.end() && at->job == trial.job; ++at)
      points.push_back(at->point);
    const auto outcome = history_.outcomes.find(trial.job);
    const bool ended = outcome != history_.outcomes.end();
    const bool whole_run = ended && trial.state == TrialState::kDone;
    if (row != nullptr && !whole_run) {
      const nlohmann::json last = row->scores.json().at("final_iteration");
      std::erase_if(points, [&](const MetricPoint& point) {
        return last.is_null() || point.iteration > last.get<std::int64_t>();
      });
    }
    return scores_of_run(trial, points, ended ? std::optional(outcome->second) : std::nullopt);
  }

  void compare_place(const RankingRecord& row, TrialId trial, const nlohmann::json& scores) {
    ++replay_.places;
    const std::string place =
        fmt::format("place {} of the {}'s ranking", row.rank,
                    row.phase == TrialPhase::kSearch ? "search" : "verification");
    if (row.trial != trial) {
      replay_.difference = fmt::format("{} was trial {}'s, and would now be trial {}'s", place,
                                       row.trial.value, trial.value);
      return;
    }
    const nlohmann::json before = row.scores.json();
    for (const auto& [name, value] : before.items()) {
      if (name.find("seconds") != std::string::npos) continue;
      const auto now = scores.find(name);
      if (now != scores.end() && *now == value) continue;
      replay_.difference = fmt::format("{} of {} was {}, and would now be {}", name, place,
                                       value.dump(), now == scores.end() ? "none" : now->dump());
      return;
    }
  }

  bool as_many(std::size_t rows, std::size_t ranked, std::string_view what) {
    if (rows == ranked) return true;
    replay_.difference =
        fmt::format("{} places are in the ranking, and {} {} in the store", rows, ranked, what);
    return false;
  }

  void compare_search() {
    const auto rows = written(TrialPhase::kSearch);
    if (!as_many(rows.size(), history_.candidates.size(), "candidates")) return;
    std::map<TrialId, const RankingRecord*> row_of;
    for (const RankingRecord* row : rows) row_of[row->trial] = row;
    std::vector<Scores> scores;
    std::vector<std::int64_t> lengths;
    for (const TrialRecord& trial : history_.candidates) {
      const auto row = row_of.find(trial.id);
      scores.push_back(scores_of(trial, row == row_of.end() ? nullptr : row->second));
      lengths.push_back(trial.plan.iterations);
    }
    const auto order = order_of_candidates(experiment_, scores, lengths);
    std::vector<const TrialRecord*> repeatable;
    for (std::size_t place = 0; place < rows.size() && same(); ++place) {
      const std::size_t index = order[place];
      compare_place(*rows[place], history_.candidates[index].id,
                    to_json(scores[index], experiment_.rank_at));
      if (is_repeatable(history_.candidates[index], scores[index], whole_))
        repeatable.push_back(&history_.candidates[index]);
    }
    if (same() && experiment_.verify_top > 0) compare_choice(repeatable);
  }

  // Whether what had to be repeated was. After an extension there are also older repeats.
  void compare_choice(std::span<const TrialRecord* const> repeatable) {
    std::set<std::pair<TrialId, std::uint32_t>> made;
    for (const TrialRecord& repeat : history_.repeats) made.emplace(repeat.verifies, repeat.repeat);
    const int first = experiment_.verify_settled ? kFirstRepeats : experiment_.verify_repeats;
    const auto planned =
        plan_verification(without_repetition(repeatable), experiment_.verify_top, first);
    for (const VerificationRun& run : planned) {
      if (made.contains({run.of, run.repeat})) continue;
      replay_.difference = fmt::format("repeat {} of trial {} was not made, and would be now",
                                       run.repeat, run.of.value);
      return;
    }
    if (history_.campaign.extensions > 0) return;
    std::set<TrialId> chosen;
    for (const VerificationRun& run : planned) chosen.insert(run.of);
    for (const TrialRecord& repeat : history_.repeats) {
      if (chosen.contains(repeat.verifies)) continue;
      replay_.difference =
          fmt::format("trial {} was verified, and would not be now", repeat.verifies.value);
      return;
    }
  }

  // The verification's repeats of the runs' present length, with what they are judged by.
  std::vector<JudgedRepeat> judged_repeats() const {
    std::vector<JudgedRepeat> repeats;
    for (const TrialRecord& repeat : history_.repeats) {
      const auto candidate =
          std::ranges::find(history_.candidates, repeat.verifies, &TrialRecord::id);
      if (candidate != history_.candidates.end() &&
          candidate->plan.iterations == repeat.plan.iterations)
        repeats.push_back({&repeat, scores_of(repeat, nullptr)});
    }
    return repeats;
  }

  void compare_verification() {
    const std::vector<JudgedRepeat> repeats = judged_repeats();
    const RankedRepeats ranked = rank_repeats(experiment_, repeats);
    auto rows = written(TrialPhase::kVerify);
    // An extended campaign may verify fewer than before: the places behind them are older.
    if (history_.campaign.extensions > 0 && rows.size() > ranked.order.size())
      rows.resize(ranked.order.size());
    if (!as_many(rows.size(), ranked.order.size(), "verified policies")) return;
    for (std::size_t place = 0; place < rows.size() && same(); ++place) {
      const std::size_t index = ranked.order[place];
      compare_place(*rows[place], ranked.verified[index], to_json(ranked.combined[index]));
    }
    replay_.repeats = std::ssize(repeats);
    if (same() && experiment_.verify_settled && history_.campaign.extensions == 0)
      compare_repeats(repeats);
  }

  // Round for round: each says which policies need one repeat more.
  void compare_repeats(std::span<const JudgedRepeat> repeats) {
    std::map<TrialId, std::uint32_t> made;
    for (const JudgedRepeat& repeat : repeats) made[repeat.trial->verifies] = kFirstRepeats;
    for (bool settled = false; !settled;) {
      std::vector<JudgedRepeat> known;
      std::ranges::copy_if(repeats, std::back_inserter(known), [&](const JudgedRepeat& repeat) {
        return repeat.trial->repeat <= made.at(repeat.trial->verifies);
      });
      if (std::ssize(known) < sum_of(made)) {
        replay_.difference = "the verification ended before its order was settled";
        return;
      }
      const OrderSoFar so_far = order_so_far(experiment_, known);
      for (const auto& next : so_far.next) made.at(next.policy) = next.repeat;
      settled = so_far.next.empty();
    }
    if (std::ssize(repeats) != sum_of(made)) {
      replay_.difference =
          fmt::format("{} repeats were made, and now {} would be", repeats.size(), sum_of(made));
    }
  }

  static std::int64_t sum_of(const std::map<TrialId, std::uint32_t>& made) {
    std::int64_t sum = 0;
    for (const auto& [policy, repeats] : made) sum += repeats;
    return sum;
  }

  const CampaignHistory& history_;
  const Experiment& experiment_;
  std::optional<std::int64_t> whole_;
  RankingReplay replay_;
};

}  // namespace

RankingReplay replay_rankings(const CampaignHistory& history, const Experiment& experiment,
                              std::optional<std::int64_t> whole) {
  return RankingsAgain(history, experiment, whole).run();
}

}  // namespace lrtune

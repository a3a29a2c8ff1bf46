#include "coordinator/methods/verdict_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/policy/policy_json.h"
#include "coordinator/methods/composition_replay.h"
#include "coordinator/methods/generation.h"
#include "coordinator/methods/range_test_plan.h"
#include "coordinator/methods/verdict.h"
#include "coordinator/report/results.h"

namespace lrtune {
namespace {

using nlohmann::json;

constexpr int kMostCandidates = 10'000;  // of `lrtune verify --candidates`

// One verdict: what it rests on, looked up step by step.
class Replay {
 public:
  Replay(const StoredState& stored, const DecisionRecord& verdict)
      : stored_(stored), verdict_(verdict), recorded_(verdict.numbers.json()) {}

  bool told() const { return recorded_.contains("generated_in"); }
  // Errors: what is recorded does not lead to a verdict.
  Result<json> made_again();
  const json& recorded() const { return recorded_; }

 private:
  Result<void> read_settings();
  Result<std::optional<CampaignResults>> campaign(const char* key) const;
  Result<void> compare(Judgement& judgement, const TrialRecord& trial);
  Result<void> generate(Judgement& judgement, const TrialRecord& trial, const Digest& home);
  Result<void> check_candidates(const CampaignResults& generated,
                                const std::vector<json>& made) const;

  const StoredState& stored_;
  const DecisionRecord& verdict_;
  json recorded_;
  VerifySettings settings_;
};

Result<void> Replay::read_settings() {
  const auto target = target_from_json(
      json{{recorded_.at("measure").get<std::string>(), recorded_.at("target")}}, "target");
  if (!target) return tl::unexpected(target.error());
  settings_.target = *target;
  // What a client said: it may be any number.
  const json& candidates = recorded_.at("candidates");
  if (!candidates.is_number_integer() || candidates < 0 || candidates > kMostCandidates)
    return fail("its number of candidates is none");
  settings_.candidates = candidates.get<int>();
  settings_.compare = recorded_.at("compare").get<bool>();
  return {};
}

// Nothing if the verdict names none.
Result<std::optional<CampaignResults>> Replay::campaign(const char* key) const {
  const auto hex = recorded_.at(key).get<std::string>();
  if (hex.empty()) return std::nullopt;
  const auto known = std::ranges::find_if(
      stored_.campaigns, [&](const CampaignRecord& one) { return one.hash.hex() == hex; });
  if (known == stored_.campaigns.end())
    return fail(
        fmt::format("campaign {}, which it rests on, is not in the store", hex.substr(0, 8)));
  auto results = collect_results(stored_, known->hash);
  if (!results) return tl::unexpected(results.error());
  return *std::move(results);
}

Result<void> Replay::compare(Judgement& judgement, const TrialRecord& trial) {
  const auto compared = campaign("compared_in");
  if (!compared) return tl::unexpected(compared.error());
  if (*compared) {
    judge_comparison(judgement, trial.policy, **compared, settings_);
  } else {
    judge_too_few(judgement, 0, trial.plan, settings_);
  }
  return {};
}

// The campaign's list begins with the policy that is judged. Behind those that can be made again
// may stand what was stored then.
Result<void> Replay::check_candidates(const CampaignResults& generated,
                                      const std::vector<json>& made) const {
  const json& listed = generated.campaign.experiment.at("search").at("policies");
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (i + 1 >= listed.size() || listed[i + 1] != made[i]) {
      return fail(fmt::format("candidate {} of phase 3 would now be {}, and was {}", i + 1,
                              made[i].dump(),
                              i + 1 < listed.size() ? listed[i + 1].dump() : "not there"));
    }
  }
  return {};
}

Result<void> Replay::generate(Judgement& judgement, const TrialRecord& trial, const Digest& home) {
  const auto tested = campaign("range_tested_in");
  if (!tested) return tl::unexpected(tested.error());
  if (!*tested) return fail("it names no range test, and would now make one");
  const auto own = std::ranges::find(stored_.campaigns, home, &CampaignRecord::hash);
  const auto experiment = experiment_from_json(own->experiment);
  if (!experiment) return tl::unexpected(experiment.error());
  const auto identity = identity_of(stored_, **tested);
  if (!identity) return tl::unexpected(identity.error());
  const auto report =
      range_report(*experiment, generation_range(trial.plan.iterations), **tested, *identity);
  if (!report) return tl::unexpected(report.error());
  const auto made =
      judge_range(judgement, *report, (*tested)->campaign.hash, experiment->seed, {}, settings_);
  const auto generated = campaign("generated_in");
  if (!generated) return tl::unexpected(generated.error());
  if (!*generated) return {};  // decided without, or else the verdict differs
  if (auto same = check_candidates(**generated, made); !same) return same;
  judge_generated(judgement, trial.policy, **generated, settings_);
  return {};
}

Result<json> Replay::made_again() try {
  if (auto read = read_settings(); !read) return tl::unexpected(read.error());
  const auto trial = std::ranges::find(stored_.trials, verdict_.trial, &TrialRecord::id);
  const auto home = std::ranges::find(stored_.campaigns, verdict_.campaign, &CampaignRecord::id);
  const auto results = collect_results(stored_, home->hash);
  if (!results) return tl::unexpected(results.error());
  const auto alone = std::ranges::find_if(
      results->policies, [&](const PolicyResult& one) { return one.search.trial.id == trial->id; });
  if (alone == results->policies.end()) return fail("its trial has not ended");
  Judgement judgement = judge_alone(to_json(trial->policy), *alone, *results, settings_);
  if (!judgement.decided) {
    if (auto done = compare(judgement, *trial); !done) return tl::unexpected(done.error());
  }
  if (!judgement.decided) {
    if (auto done = generate(judgement, *trial, home->hash); !done)
      return tl::unexpected(done.error());
  }
  return verdict_numbers(judgement, settings_, trial->policy);
} catch (const json::exception&) {
  return fail("its record cannot be read: a number is missing, or is of another kind");
}

// Whether a campaign that the judgement rests on was extended: nothing is judged by such a one
// (check_not_extended), so that was later, or elsewhere if the judgement was imported.
bool is_outdated(const StoredState& stored, const DecisionRecord& judgement) {
  std::set<std::string> rests_on;
  const json numbers = judgement.numbers.json();
  const bool composed = judgement.code == "composed";
  for (const char* key : {"compared_in", "range_tested_in", "generated_in", "composed_in"}) {
    // Where the rates of a composition come from is not made again.
    if (composed && std::string_view(key) == "range_tested_in") continue;
    if (numbers.contains(key) && numbers.at(key).is_string())
      rests_on.insert(numbers.at(key).get<std::string>());
  }
  return std::ranges::any_of(stored.campaigns, [&](const CampaignRecord& one) {
    const bool named = one.id == judgement.campaign || rests_on.contains(one.hash.hex());
    return named && one.extensions > 0;
  });
}

// The first number that is another one.
std::string difference_of(const json& recorded, const json& made) {
  for (const auto& [key, value] : made.items()) {
    if (!recorded.contains(key)) return fmt::format("{} would now be {}", key, value.dump());
    if (recorded.at(key) != value) {
      return fmt::format("{} was {}, and would now be {}", key, recorded.at(key).dump(),
                         value.dump());
    }
  }
  for (const auto& [key, value] : recorded.items()) {
    if (!made.contains(key))
      return fmt::format("{} was {}, and would now be nothing", key, value.dump());
  }
  return {};
}

}  // namespace

VerdictReplay replay_verdicts(const StoredState& stored, std::span<const DecisionRecord> verdicts) {
  VerdictReplay replayed;
  for (const DecisionRecord& verdict : verdicts) {
    Replay replay(stored, verdict);
    const bool composed = verdict.code == "composed";
    if (!composed && !replay.told()) {
      ++replayed.untold;
      continue;
    }
    if (is_outdated(stored, verdict)) {
      ++replayed.outdated;
      continue;
    }
    ++replayed.verdicts;
    const auto made = composed ? composition_again(stored, verdict) : replay.made_again();
    const std::string difference =
        made ? difference_of(replay.recorded(), *made) : made.error().message;
    if (difference.empty() || !replayed.difference.empty()) continue;
    replayed.difference =
        fmt::format("the {} trial {}: {}", composed ? "composition of" : "verdict about",
                    verdict.trial.value, difference);
  }
  return replayed;
}

}  // namespace lrtune

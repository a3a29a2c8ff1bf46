#include "tests/support/sim/sim_store.h"

#include <algorithm>
#include <utility>

namespace lrtune::sim {
namespace {

bool ended(CampaignState state) { return state == CampaignState::kDone; }
bool ended(TrialState state) { return state > TrialState::kRunning; }
bool ended(JobState state) { return state >= JobState::kDone; }

void check_campaign(const CampaignRecord& old, const CampaignRecord& record,
                    const StoreRules& rules) {
  require(old.hash == record.hash, "a campaign's hash never changes");
  if (rules.campaigns_grow && record.extensions == old.extensions + 1) return;
  require(old.experiment == record.experiment && old.extensions == record.extensions,
          "a campaign's experiment only changes by an extension");
  require(!ended(old.state), "a campaign that is done stays so");
  const bool tried_again =
      old.state == CampaignState::kFailed && record.state == CampaignState::kSurveying;
  require(record.state >= old.state || tried_again,
          [&] { return fmt::format("campaign {} never goes back", record.id.value); });
}

void check_trial(const TrialRecord& old, const TrialRecord& record, const StoreRules& rules) {
  if (rules.trials_grow && record.plan.iterations > old.plan.iterations) {
    require(old.state == TrialState::kDone && old.policy == record.policy,
            [&] { return fmt::format("trial {} grows after a good end", record.id.value); });
    return;
  }
  require(old.campaign == record.campaign && old.number == record.number && old.job == record.job &&
              old.seed == record.seed && old.identity == record.identity &&
              old.policy == record.policy && old.plan == record.plan,
          [&] { return fmt::format("what trial {} is never changes", record.id.value); });
  const bool revived = old.state == TrialState::kCancelled;  // by a longer life of its campaign
  require(!ended(old.state) || old.state == record.state || revived,
          [&] { return fmt::format("trial {} ended for good", record.id.value); });
}

void check_job(const JobRecord& old, const JobRecord& record, const StoreRules& rules) {
  const auto check = [&](bool holds, std::string_view what) {
    require(holds, [&] { return fmt::format("job {} {}", record.id.value, what); });
  };
  check(old.key == record.key && old.from_state == record.from_state &&
            old.to_state == record.to_state,
        "never changes what it is");
  check(record.attempt == old.attempt || record.attempt == old.attempt + 1, "counts its attempts");
  const bool comes_back = rules.failed_jobs_come_back && old.state == JobState::kFailed &&
                          record.state == JobState::kPending;
  if (ended(old.state)) {
    check(comes_back, "ended and is written again: its outcome would count twice");
    return;
  }
  check(record.attempt == old.attempt ||
            (old.state == JobState::kPending && record.state == JobState::kAssigned),
        "has a new attempt only when it is assigned");
  check(old.state != JobState::kPending || record.state != JobState::kAssigned ||
            record.attempt == old.attempt + 1,
        "is assigned as a new attempt");
  check(record.deaths >= old.deaths, "forgets a death");
  check(old.state != JobState::kPending || record.state != JobState::kRunning,
        "runs without an assignment");
}

}  // namespace

Result<void> SimStore::commit(std::span<const Record> records) {
  require(doubtful_.empty(), "after a failed commit the store is loaded before the next one");
  if (failures_ > 0) {
    --failures_;
    doubtful_.assign(records.begin(), records.end());
    return fail("simulated failure of a commit");
  }
  for (const Record& record : records) {
    std::visit([this](const auto& one) { apply(one); }, record);
  }
  return {};
}

void SimStore::process_ended(bool found) {
  const std::vector<Record> doubtful = std::exchange(doubtful_, {});
  if (!found) return;
  for (const Record& record : doubtful) {
    std::visit([this](const auto& one) { apply(one); }, record);
  }
}

void SimStore::apply(const CampaignRecord& record) {
  const auto it = campaigns_.find(record.id);
  if (it == campaigns_.end()) {
    require(campaign(record.hash) == nullptr, "two campaigns of one experiment");
    campaigns_.emplace(record.id, record);
    return;
  }
  check_campaign(it->second, record, rules_);
  it->second = record;
}

void SimStore::apply(const IdentityRecord& record) {
  require(record.hash == record.identity.hash(), "an identity has its own hash");
  identities_.insert_or_assign(record.hash, record);
}

void SimStore::apply(const TrialRecord& record) {
  require(campaigns_.contains(record.campaign), "a trial's campaign is there before it");
  require(identities_.contains(record.identity), "a trial's identity is there before it");
  require(jobs_.contains(record.job), "a trial's job is there before it");
  require(!record.verifies || trials_.contains(record.verifies),
          "what a trial verifies is there before it");
  const auto it = trials_.find(record.id);
  if (it != trials_.end()) check_trial(it->second, record, rules_);
  trials_.insert_or_assign(record.id, record);
}

void SimStore::apply(const JobRecord& record) {
  require(ended(record.state) == record.outcome.has_value(),
          [&] { return fmt::format("job {} has an outcome without an end", record.id.value); });
  if (record.state == JobState::kAssigned && record.after) {
    require(jobs_.at(record.after).state == JobState::kDone,
            "a job is assigned before what it goes on from is done");
  }
  const auto it = jobs_.find(record.id);
  if (it != jobs_.end()) {
    check_job(it->second, record, rules_);
    it->second = record;
    return;
  }
  require(record.attempt == 0, "a job begins without an attempt");
  require(job_by_key_.emplace(record.key, record.id).second, "two jobs for the same work");
  jobs_.emplace(record.id, record);
}

void SimStore::apply(const PointRecord& record) {
  const JobRecord* owner = job(record.job);
  require(owner != nullptr, "a point's job is there before it");
  require(record.attempt == owner->attempt, "a point of a stale attempt is recorded");
  const bool follows = owner->after && ended(jobs_.at(owner->after).state);  // its beginning's end
  require(owner->state == JobState::kRunning || follows,
          "a point of a job that does not run is recorded");
  const auto key = std::tuple(record.job, record.attempt, record.point.iteration);
  require(points_.emplace(key, record).second, "a point is recorded twice");
}

void SimStore::apply(const DecisionRecord& record) {
  require(campaigns_.contains(record.campaign), "a decision's campaign is there before it");
  require(!record.trial || trials_.contains(record.trial), "a decision's trial is there before it");
  const bool of_attempt = record.code == "assigned" || record.code == "requeued";
  ++decisions_[record.code];
  static const std::set<std::string> kLogged = {"proposed", "promoted", "observed", "weighed",
                                                "stopped_early"};
  if (kLogged.contains(record.code)) search_log_.push_back(record);
  const bool once = record.code == "created" || (record.code == "done" && !rules_.campaigns_grow);
  if (!once && !of_attempt) return;
  const nlohmann::json numbers = record.numbers.json();
  const Attempt attempt = of_attempt ? numbers.at("attempt").get<Attempt>() : 0;
  // A beginning that several trials share bears the name of one of them.
  // One that was promoted has another job.
  const std::int64_t length =
      rules_.trials_grow && record.trial ? trials_.at(record.trial).plan.iterations : 0;
  const std::int64_t stage = numbers.value("stage", length);
  require(once_.emplace(record.code, record.campaign, record.trial, stage, attempt).second, [&] {
    return fmt::format("the decision \"{}\" is made twice: {}", record.code, record.numbers.text());
  });
}

void SimStore::apply(const RankingRecord& record) {
  if (record.rank <= 1) {
    std::erase_if(rankings_, [&](const auto& entry) {
      return entry.second.campaign == record.campaign && entry.second.phase == record.phase;
    });
  }
  if (record.rank < 1) return;
  require(trials_.contains(record.trial), "a ranked trial is there before its ranking");
  require(!ended(campaigns_.at(record.campaign).state), "a campaign is ranked after its end");
  rankings_.insert_or_assign(std::tuple(record.campaign, record.phase, record.rank), record);
}

void SimStore::apply(const WorkerOrderRecord& record) {
  orders_.erase(record.worker);
  if (record.order != WorkerOrder::kAdmit) orders_.emplace(record.worker, record);
}

Result<StoredState> SimStore::load() {
  if (unreadable_ > 0) {
    --unreadable_;
    return fail("simulated failure of reading");
  }
  doubtful_.clear();
  StoredState stored;
  for (const auto& [id, record] : campaigns_) stored.campaigns.push_back(record);
  for (const auto& [hash, record] : identities_) stored.identities.push_back(record);
  for (const auto& [id, record] : trials_) stored.trials.push_back(record);
  for (const auto& [id, record] : jobs_) stored.jobs.push_back(record);
  for (const auto& [key, record] : points_) stored.points.push_back(record);
  for (const auto& [worker, record] : orders_) stored.orders.push_back(record);
  std::ranges::copy_if(search_log_, std::back_inserter(stored.search_log),
                       [this](const DecisionRecord& decision) {
                         return !ended(campaigns_.at(decision.campaign).state);
                       });
  return stored;
}

CampaignHistory SimStore::campaign_history(CampaignId campaign) const {
  CampaignHistory history;
  history.campaign = campaigns_.at(campaign);
  for (const auto& [hash, record] : identities_) history.identities.push_back(record);
  for (const auto& [id, trial] : trials_) {
    if (trial.campaign != campaign) continue;
    if (trial.phase == TrialPhase::kSearch) history.candidates.push_back(trial);
    if (trial.phase == TrialPhase::kVerify) history.repeats.push_back(trial);
  }
  std::ranges::copy_if(
      search_log_, std::back_inserter(history.log),
      [&](const DecisionRecord& decision) { return decision.campaign == campaign; });
  for (const auto& [key, record] : points_) {
    if (!history.points.empty() && history.points.back().job == record.job &&
        history.points.back().point.iteration >= record.point.iteration)
      continue;  // of a later attempt
    history.points.push_back(record);
  }
  for (const auto& [id, job] : jobs_) {
    if (job.outcome) history.outcomes.emplace(id, job.outcome->kind);
  }
  for (const TrialPhase phase : {TrialPhase::kSearch, TrialPhase::kVerify})
    std::ranges::move(ranking(campaign, phase), std::back_inserter(history.rankings));
  return history;
}

bool SimStore::leads_through(const TrialRecord& trial, JobId wanted) const {
  for (JobId id = trial.job; id; id = jobs_.at(id).after) {
    if (id == wanted) return true;
  }
  return false;
}

const JobRecord* SimStore::job(JobId id) const {
  const auto it = jobs_.find(id);
  return it == jobs_.end() ? nullptr : &it->second;
}

const CampaignRecord* SimStore::campaign(const Digest& hash) const {
  const auto it = std::find_if(campaigns_.begin(), campaigns_.end(),
                               [&](const auto& entry) { return entry.second.hash == hash; });
  return it == campaigns_.end() ? nullptr : &it->second;
}

const WorkerOrderRecord* SimStore::worker_order(const std::string& worker) const {
  const auto it = orders_.find(worker);
  return it == orders_.end() ? nullptr : &it->second;
}

std::vector<MetricPoint> SimStore::points(JobId job, Attempt attempt) const {
  std::vector<MetricPoint> points;
  const auto first = points_.lower_bound(std::tuple(job, attempt, std::int64_t{0}));
  for (auto it = first; it != points_.end(); ++it) {
    if (it->second.job != job || it->second.attempt != attempt) break;
    points.push_back(it->second.point);
  }
  return points;
}

bool SimStore::has_point(JobId job, Attempt attempt, const MetricPoint& point) const {
  const auto it = points_.find(std::tuple(job, attempt, point.iteration));
  return it != points_.end() && it->second.point == point;
}

std::vector<RankingRecord> SimStore::ranking(CampaignId campaign, TrialPhase phase) const {
  std::vector<RankingRecord> rows;
  for (const auto& [key, record] : rankings_) {
    if (record.campaign == campaign && record.phase == phase) rows.push_back(record);
  }
  return rows;
}

}  // namespace lrtune::sim

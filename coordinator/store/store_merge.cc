#include "coordinator/store/store_merge.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "coordinator/store/migrations.h"
#include "coordinator/store/record_reader.h"
#include "coordinator/store/sql_values.h"
#include "coordinator/store/sqlite_store.h"
#include "coordinator/store/store_care.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

// All of a store that a merge takes over.
struct Source {
  StoredState state;
  std::vector<DecisionRecord> decisions;
  std::vector<RankingRecord> rankings;
};

Source read_source(SQLite::Database& database) {
  // Decisions and rankings before the rest: beside a coordinator that writes they are older, so
  // that all that they speak of is there. read_all() takes a snapshot of its own.
  Source source;
  sql::Rows decisions(database,
                      "SELECT campaign, coalesce(trial, 0), at, code, numbers FROM decision "
                      "ORDER BY id");
  decisions.use();
  while (decisions.next()) {
    source.decisions.push_back({CampaignId{decisions.integer(0)}, TrialId{decisions.integer(1)},
                                decisions.integer(2), decisions.string(3),
                                nlohmann::json::parse(decisions.text(4))});
  }
  sql::Rows rankings(database,
                     "SELECT campaign, phase, rank, trial, scores FROM ranking "
                     "ORDER BY campaign, phase, rank");
  rankings.use();
  while (rankings.next()) {
    source.rankings.push_back({CampaignId{rankings.integer(0)},
                               sql::stored(trial_phase_from_name(rankings.text(1))),
                               static_cast<int>(rankings.integer(2)), TrialId{rankings.integer(3)},
                               nlohmann::json::parse(rankings.text(4))});
  }
  source.state = read_all(database);
  return source;
}

template <typename Records>
auto last_id(const Records& records) {
  return records.empty() ? decltype(records.back().id){} : records.back().id;
}

bool ended(JobState state) {
  return state == JobState::kDone || state == JobState::kDiverged || state == JobState::kFailed;
}

// Gives what comes in the numbers that it has here.
class Merge {
 public:
  Merge(const Source& source, const StoredState& here, std::string from, WallMillis at)
      : source_(source), from_(std::move(from)), at_(at) {
    next_campaign_ = last_id(here.campaigns).value;
    next_trial_ = last_id(here.trials).value;
    next_job_ = last_id(here.jobs).value;
    for (const CampaignRecord& campaign : here.campaigns) known_campaigns_.insert(campaign.hash);
    for (const IdentityRecord& identity : here.identities) known_identities_.insert(identity.hash);
    for (const JobRecord& job : here.jobs)
      (ended(job.state) ? known_jobs_ : open_jobs_).emplace(job.key, job.id);
  }

  std::vector<Record> records() {
    for (const CampaignRecord& campaign : source_.state.campaigns) add(campaign);
    if (report_.campaigns == 0) return {};
    // A trial may verify one that stands behind it: all numbers first.
    for (const TrialRecord& trial : source_.state.trials)
      if (campaigns_.contains(trial.campaign)) trials_[trial.id] = TrialId{++next_trial_};
    for (const JobRecord& job : source_.state.jobs) there_[job.id] = &job;
    for (const TrialRecord& trial : source_.state.trials)
      if (campaigns_.contains(trial.campaign)) add(trial);
    add_identities();
    for (const PointRecord& point : source_.state.points) add(point);
    for (const DecisionRecord& decision : source_.decisions) add(decision);
    for (const RankingRecord& ranking : source_.rankings) add(ranking);
    return std::move(records_);
  }

  const MergeReport& report() const { return report_; }

 private:
  void add(const CampaignRecord& campaign) {
    if (known_campaigns_.contains(campaign.hash)) {
      ++report_.known_campaigns;
      return;
    }
    CampaignRecord copy = campaign;
    copy.id = CampaignId{++next_campaign_};
    const std::string was(name_of(copy.state));
    // Nobody trains for another team unasked: what has not ended comes in as cancelled, and the
    // same file goes on with it.
    const bool open = copy.state != CampaignState::kDone && copy.state != CampaignState::kFailed;
    if (open) copy.state = CampaignState::kCancelled;
    if (open && copy.ended_at == 0) copy.ended_at = at_;
    copy.paused = false;
    campaigns_[campaign.id] = copy.id;
    records_.emplace_back(copy);
    records_.emplace_back(DecisionRecord{copy.id,
                                         {},
                                         at_,
                                         "imported",
                                         nlohmann::json{{"store", from_},
                                                        {"schema", schema_version()},
                                                        {"campaign", campaign.id.value},
                                                        {"state", was}}});
    ++report_.campaigns;
  }

  void add(const TrialRecord& trial) {
    TrialRecord copy = trial;
    copy.id = trials_.at(trial.id);
    copy.campaign = campaigns_.at(trial.campaign);
    if (trial.verifies) copy.verifies = trials_.at(trial.verifies);
    if (const JobRecord* const job = ended_job(trial.job)) {
      copy.job = here(*job);
    } else {
      copy.job = still_to_do(*there_.at(trial.job));
      if (copy.state <= TrialState::kRunning) copy.state = TrialState::kCancelled;
    }
    identities_.insert(trial.identity);
    records_.emplace_back(std::move(copy));
    ++report_.trials;
  }

  // Null: there is none, or it has not ended.
  const JobRecord* ended_job(JobId id) const {
    const auto job = there_.find(id);
    return job != there_.end() && ended(job->second->state) ? job->second : nullptr;
  }

  // Equal keys are the same work: it is here already, or it comes in once.
  JobId here(const JobRecord& job) {
    if (const auto known = jobs_.find(job.id); known != jobs_.end()) return known->second;
    if (const auto known = known_jobs_.find(job.key); known != known_jobs_.end()) {
      ++report_.known_runs;
      return jobs_[job.id] = known->second;
    }
    JobRecord copy = job;
    if (const JobRecord* const before = ended_job(job.after)) {
      copy.after = here(*before);
    } else {
      copy.after = {};
      copy.from_iteration = 0;
    }
    copy.id = JobId{++next_job_};
    known_jobs_.emplace(copy.key, copy.id);
    new_jobs_.insert(job.id);
    records_.emplace_back(copy);
    ++report_.runs;
    return jobs_[job.id] = copy.id;
  }

  // A trial keeps a job although nobody has trained it to its end: whoever takes the campaign up
  // again does.
  JobId still_to_do(const JobRecord& job) {
    if (const auto known = jobs_.find(job.id); known != jobs_.end()) return known->second;
    for (const auto* known : {&known_jobs_, &open_jobs_}) {
      if (const auto same = known->find(job.key); same != known->end())
        return jobs_[job.id] = same->second;
    }
    JobRecord copy;
    copy.id = JobId{++next_job_};
    copy.key = job.key;
    copy.from_state = job.from_state;
    copy.to_state = job.to_state;
    copy.iterations = job.iterations;
    open_jobs_.emplace(copy.key, copy.id);
    records_.emplace_back(copy);
    return jobs_[job.id] = copy.id;
  }

  void add_identities() {
    for (const IdentityRecord& identity : source_.state.identities) {
      if (identities_.contains(identity.hash) && !known_identities_.contains(identity.hash))
        records_.emplace_back(identity);
    }
  }

  void add(PointRecord point) {
    if (!new_jobs_.contains(point.job)) return;
    point.job = jobs_.at(point.job);
    records_.emplace_back(point);
  }

  void add(const DecisionRecord& decision) {
    const auto campaign = campaigns_.find(decision.campaign);
    if (campaign == campaigns_.end()) return;
    DecisionRecord copy = decision;
    copy.campaign = campaign->second;
    if (decision.trial) copy.trial = trials_.at(decision.trial);
    nlohmann::json numbers = nlohmann::json::parse(sql::exact_text(decision.numbers));
    if (numbers.contains("job")) {
      const auto job = jobs_.find(JobId{numbers["job"].get<std::int64_t>()});
      numbers["job"] =
          job == jobs_.end() ? nlohmann::json(nullptr) : nlohmann::json(job->second.value);
    }
    copy.numbers = numbers;
    records_.emplace_back(std::move(copy));
  }

  void add(const RankingRecord& ranking) {
    const auto campaign = campaigns_.find(ranking.campaign);
    if (campaign == campaigns_.end()) return;
    RankingRecord copy = ranking;
    copy.campaign = campaign->second;
    copy.trial = trials_.at(ranking.trial);
    records_.emplace_back(std::move(copy));
  }

  const Source& source_;
  std::string from_;
  WallMillis at_;
  std::int64_t next_campaign_ = 0, next_trial_ = 0, next_job_ = 0;
  std::set<Digest> known_campaigns_, known_identities_, identities_;
  std::unordered_map<Digest, JobId> known_jobs_;  // of ended work, by key
  std::unordered_map<Digest, JobId> open_jobs_;   // of work that has not ended, by key
  std::map<CampaignId, CampaignId> campaigns_;    // there -> here, as the next two
  std::map<TrialId, TrialId> trials_;
  std::map<JobId, JobId> jobs_;
  std::map<JobId, const JobRecord*> there_;
  std::set<JobId> new_jobs_;  // by their number there
  std::vector<Record> records_;
  MergeReport report_;
};

Result<Source> checked_source(const std::string& path) {
  const auto found = check_store(path);
  if (!found) return tl::unexpected(found.error());
  if (!found->faults.empty()) {
    return fail(fmt::format("the store {} has {} faults and is not taken in; the first is: {}",
                            path, found->faults.size(), found->faults.front()));
  }
  if (found->schema != schema_version()) {
    return fail(
        fmt::format("the store {} has schema {} and this program {}; `lrtune store migrate "
                    "--store {}` brings a copy up",
                    path, found->schema, schema_version(), path));
  }
  auto database = open_for_reading(path);
  if (!database) return tl::unexpected(database.error());
  try {
    return read_source(**database);
  } catch (const std::exception& error) {
    return fail(fmt::format("cannot read the store {}: {}", path, error.what()));
  }
}

}  // namespace

Result<MergeReport> merge_store(const std::string& from, const std::string& into, WallMillis at) {
  const auto source = checked_source(from);
  if (!source) return tl::unexpected(source.error());
  const auto store = SqliteStore::open(into);
  if (!store) return tl::unexpected(store.error());
  const auto here = (*store)->load();
  if (!here) return tl::unexpected(here.error());
  Merge merge(*source, *here, std::filesystem::path(from).filename().string(), at);
  const std::vector<Record> records = merge.records();
  if (!records.empty()) {
    if (const auto done = (*store)->commit(records); !done) return tl::unexpected(done.error());
  }
  return merge.report();
}

}  // namespace lrtune

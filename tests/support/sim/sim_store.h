// A store in memory that keeps what is committed, refuses what would break the promises of the
// whole system, and can fail.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/store/store.h"
#include "tests/support/sim/trace.h"

namespace lrtune::sim {

struct StoreRules {
  // A failed job may run again: a later campaign needs it. Otherwise every end is final.
  bool failed_jobs_come_back = false;
  // A campaign that is done may be extended and end again.
  bool campaigns_grow = false;
  // A trial may become longer: its search promotes it.
  bool trials_grow = false;
};

class SimStore : public Store {
 public:
  explicit SimStore(StoreRules rules) : rules_(rules) {}

  // Throws Violation if a record contradicts what is there.
  Result<void> commit(std::span<const Record> records) override;
  Result<StoredState> load() override;
  std::string history() const override { return std::to_string(history_); }
  // It is another store, or a copy, from now on.
  void begin_history(int history) { history_ = history; }

  // The next commits fail, with nothing applied: load() writes over what is left of them, as
  // SCHEMA.md says.
  void fail_next(int commits) { failures_ = commits; }
  // So often load() fails.
  void fail_loads(int loads) { unreadable_ = loads; }
  // The coordinator's process ended. `found`: if its last commit failed and it did not load again,
  // that commit turns out to be written, whole.
  void process_ended(bool found);

  const std::map<CampaignId, CampaignRecord>& campaigns() const { return campaigns_; }
  const std::map<TrialId, TrialRecord>& trials() const { return trials_; }
  const std::map<JobId, JobRecord>& jobs() const { return jobs_; }
  const std::map<Digest, IdentityRecord>& identities() const { return identities_; }
  const JobRecord* job(JobId id) const;
  // `job` is the trial's, or one that this goes on from.
  bool leads_through(const TrialRecord& trial, JobId job) const;
  const CampaignRecord* campaign(const Digest& hash) const;
  // The order about a worker that holds; nullptr: none, or that it is admitted.
  const WorkerOrderRecord* worker_order(const std::string& worker) const;
  std::vector<MetricPoint> points(JobId job, Attempt attempt) const;
  bool has_point(JobId job, Attempt attempt, const MetricPoint& point) const;
  // How many decisions of each code were made.
  const std::map<std::string, std::int64_t>& decisions() const { return decisions_; }
  // Of a campaign's search.
  CampaignHistory campaign_history(CampaignId campaign) const;
  // Rank 1 first.
  std::vector<RankingRecord> ranking(CampaignId campaign, TrialPhase phase) const;

 private:
  void apply(const CampaignRecord& record);
  void apply(const IdentityRecord& record);
  void apply(const TrialRecord& record);
  void apply(const JobRecord& record);
  void apply(const PointRecord& record);
  void apply(const DecisionRecord& record);
  void apply(const RankingRecord& record);
  void apply(const WorkerOrderRecord& record);

  StoreRules rules_;
  int history_ = 0;
  int failures_ = 0;
  int unreadable_ = 0;
  std::vector<Record> doubtful_;  // of a commit that failed, until the next load
  std::map<CampaignId, CampaignRecord> campaigns_;
  std::map<Digest, IdentityRecord> identities_;
  std::map<TrialId, TrialRecord> trials_;
  std::map<JobId, JobRecord> jobs_;
  std::map<Digest, JobId> job_by_key_;
  std::map<std::tuple<JobId, Attempt, std::int64_t>, PointRecord> points_;
  std::map<std::tuple<CampaignId, TrialPhase, int>, RankingRecord> rankings_;
  std::map<std::string, WorkerOrderRecord> orders_;  // by worker; none that admits
  std::map<std::string, std::int64_t> decisions_;
  std::vector<DecisionRecord> search_log_;
  // Decisions that are made once: (code, campaign, trial, stage, attempt).
  std::set<std::tuple<std::string, CampaignId, TrialId, std::int64_t, Attempt>> once_;
};

}  // namespace lrtune::sim

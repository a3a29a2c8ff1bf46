// What people ask of the policy store. Reads only, in short transactions, beside a coordinator that
// writes or without one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/policy/policy.h"
#include "common/result.h"
#include "coordinator/core/records.h"
#include "coordinator/ranking/ranking.h"

namespace SQLite {
class Database;
}

namespace lrtune {

// Which training a policy was used for; an empty name is any.
struct PolicyFilter {
  std::string dataset;
  std::string model;
  std::string optimizer;
  std::string task;             // all of a store are kOwnTask
  std::string framework;        // and kOwnFramework
  std::int64_t iterations = 0;  // of the run plan; 0: any
  // What the scores' target iterations count to; nothing: each run plan's own.
  std::optional<Target> target = {};
};

// What the controller of a reactive policy made of a run: a policy of the store.
struct RealisedSchedule {
  std::int64_t id = 0;
  Policy policy;
};

// A trial that has ended.
struct PolicyRun {
  TrialId trial;
  CampaignId campaign;
  TrialPhase phase = TrialPhase::kSearch;
  std::uint32_t repeat = 0;
  std::uint64_t seed = 0;
  TrialState state = TrialState::kDone;
  OutcomeKind outcome = OutcomeKind::kCompleted;
  std::int64_t ended_at = 0;  // iteration; 0 if it never ended in order
  Scores scores;              // with the target of its run plan
  // Where one policy was asked for:
  std::vector<MoptValue> m_opt = {};  // by iteration
  std::optional<RealisedSchedule> realised = {};
};

// One policy under one training identity and run plan: only such runs compare.
struct PolicyEntry {
  std::int64_t id = 0;  // of the policy, in this store
  Policy policy;
  std::string description;
  std::vector<std::string> names;  // that experiments gave it, each once, in the order of trials
  Digest identity;
  TrainSpec train;
  DataFacts data;               // that it was trained on
  RunPlan plan;                 // m_opt_every is 0: it changes no step
  std::int64_t open = 0;        // trials that have not ended
  std::vector<PolicyRun> runs;  // ascending by trial; one for each seed: others are the same run
  RepeatedScores scores;        // of the runs
};

// A trial with all decisions about it and about its campaign as a whole, in their order.
struct TrialStory {
  TrialId trial;
  std::int64_t number = 0;  // in the campaign
  CampaignId campaign;
  std::string campaign_name;
  TrialPhase phase = TrialPhase::kSearch;
  TrialId verifies;
  std::uint32_t repeat = 0;
  double scale = 1;
  TrialState state = TrialState::kWaiting;
  std::string policy;  // its name, if it has one, and describe()
  std::vector<DecisionRecord> decisions;
};

// One thread. Every error is a sentence about the store file or about what was asked for.
class PolicyQueries {
 public:
  static Result<PolicyQueries> open(const std::string& path);
  PolicyQueries(PolicyQueries&&) noexcept;
  PolicyQueries& operator=(PolicyQueries&&) noexcept;
  ~PolicyQueries();

  // Ascending by policy. `at` is what the scores are taken at. The schedule that a reactive policy
  // realised is a policy as any other, named "NAME realised", with that run.
  Result<std::vector<PolicyEntry>> policies(const PolicyFilter& filter, RankAt at) const;

  // Those of policies() of which a run has ended, best first, and of them the first `limit` (0:
  // all). Cost: a look at each policy's bound (SCHEMA.md), and the trials of little more than
  // `limit` policies.
  Result<std::vector<PolicyEntry>> best(const PolicyFilter& filter, RankBy by, RankAt at,
                                        std::size_t limit) const;

  // All uses of one policy. An error if the store has none with that id.
  Result<std::vector<PolicyEntry>> policy(std::int64_t id, RankAt at) const;

  Result<TrialStory> story(TrialId trial) const;

  // All that the store has at one moment, and the hash of the campaign that is asked for.
  struct CampaignInStore {
    StoredState stored;
    Digest campaign;
  };
  // Both: of the campaign with that number, that name (the newest one) or a hash that begins so.
  Result<CampaignInStore> campaign_in_store(const std::string& campaign) const;
  Result<CampaignHistory> campaign_history(const std::string& campaign) const;
  // All that the store has at one moment.
  Result<StoredState> everything() const;

 private:
  Result<CampaignId> find_campaign(const std::string& campaign) const;
  explicit PolicyQueries(std::string path, std::unique_ptr<SQLite::Database> database);
  std::string path_;
  std::unique_ptr<SQLite::Database> database_;
};

// `entries`, best first.
std::vector<PolicyEntry> best_first(std::vector<PolicyEntry> entries, RankBy by);

}  // namespace lrtune

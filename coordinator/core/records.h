// The facts that the core keeps and the store writes: one struct a table, with the words of
// SCHEMA.md. The core emits them; coordinator/store knows how to write and read them; neither knows
// more of the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/config/experiment.h"
#include "common/flat_json.h"
#include "common/hash.h"
#include "common/ids.h"
#include "common/policy/policy.h"
#include "common/training.h"

namespace lrtune {

// Wall-clock milliseconds since 1970, for people only: nothing is decided by it.
using WallMillis = std::int64_t;

enum class CampaignState : std::uint8_t {
  kSurveying,
  kSearching,
  kVerifying,
  kScaling,
  kDone,
  kFailed,
  kCancelled,  // by a person; what is trained stays
};
enum class TrialState : std::uint8_t {
  kWaiting,
  kRunning,
  kDone,
  kDiverged,
  kFailed,
  kCancelled,  // with its campaign
  kStopped,    // by a rule: it was not worth going on with
};
enum class JobState : std::uint8_t { kPending, kAssigned, kRunning, kDone, kDiverged, kFailed };
enum class TrialPhase : std::uint8_t { kSearch, kVerify, kTolerance };

struct CampaignRecord {
  CampaignId id;
  std::string name;
  Digest hash;                // of the normalised experiment; unique in a store
  nlohmann::json experiment;  // normal form
  CampaignState state = CampaignState::kSurveying;
  std::string failure;  // why it failed; else empty
  WallMillis created_at = 0;
  WallMillis ended_at = 0;  // 0: not ended
  double busy_seconds = 0;  // wall time of all `lrtune run`s of it, for the report
  int priority = 0;         // of its trials before those of others: higher first
  bool paused = false;      // none of its trials is given to a worker
  // How often it was extended. `hash` stays that of the file it was made of, `experiment` is the
  // extended one.
  int extensions = 0;
  bool operator==(const CampaignRecord&) const = default;
};

// A training identity that a campaign uses, as its survey found it. Fixed when the campaign is
// made.
struct IdentityRecord {
  Digest hash;
  TrainingIdentity identity;
  bool operator==(const IdentityRecord&) const = default;
};

struct TrialRecord {
  TrialId id;
  CampaignId campaign;
  std::int64_t number = 0;  // 0, 1, 2 ... in the campaign; verification goes on counting
  TrialPhase phase = TrialPhase::kSearch;
  TrialId verifies;          // the search trial whose policy it repeats or scales; else 0
  std::uint32_t repeat = 0;  // 0 in the search; 1, 2 ... in verification
  double scale = 1;          // tolerance: of that policy's rates
  std::uint64_t seed = 0;    // trial_seed(campaign seed, repeat); below 2^63
  Digest identity;
  Policy policy;
  RunPlan plan;
  JobId job;  // the stage job that leads to its end; those before it are that one's `after`
  TrialState state = TrialState::kWaiting;
  bool operator==(const TrialRecord&) const = default;
};

// A stage job: a run from its initial state to iteration `iterations`. Where it begins as another
// one does, it goes on from that one's end, which it waits for and whose checkpoint its worker
// finds by its name. `key` is what makes two jobs the same work: SHA-256 over from_state, to_state
// and the parts of the plan that say what is measured and when it stops.
struct JobRecord {
  JobId id;
  Digest key;
  Digest from_state;
  // Where the policy's rates lead, if nothing stops it before; of a reactive policy, whose rates
  // are known when they were applied, reactive_state() of its end.
  Digest to_state;
  JobState state = JobState::kPending;
  Attempt attempt = 0;              // 0: never assigned
  int deaths = 0;                   // attempts that ended with their worker's death or kFailedHere
  std::string worker;               // name of the worker of the current attempt; empty if none
  std::optional<Outcome> outcome;   // when done, diverged or failed
  JobId after;                      // the stage job that it goes on from; 0: from the initial state
  std::int64_t from_iteration = 0;  // where that one ends
  std::int64_t iterations = 0;      // where it ends itself
  bool operator==(const JobRecord&) const = default;
};

// One evaluation of one state reached by a job. Points of attempts that did not finish are kept:
// they are true of their state whatever happened later.
struct PointRecord {
  JobId job;
  Attempt attempt = 0;
  Part evaluated_on = Part::kValidation;
  std::int64_t train_subset = 0;
  MetricPoint point;
  bool operator==(const PointRecord&) const = default;
};

// A decision as a code with its numbers. coordinator/core/decisions.h makes the sentence.
struct DecisionRecord {
  CampaignId campaign;
  TrialId trial;  // 0: about the whole campaign
  WallMillis at = 0;
  std::string code;  // "assigned", "requeued", "refused", "finished", "diverged", "poisoned" ...
  FlatJson numbers;
  bool operator==(const DecisionRecord&) const = default;
};

// A row of a campaign's final (or so far) ranking.
struct RankingRecord {
  CampaignId campaign;
  TrialPhase phase = TrialPhase::kSearch;  // verification ranks means over repeats
  int rank = 0;     // 1 is best; 0: there is no ranking any more, and the rest has no meaning
  TrialId trial;    // the search trial of the policy
  FlatJson scores;  // coordinator/ranking: the numbers it was ranked by
  bool operator==(const RankingRecord&) const = default;
};

// What a person ordered about a worker, by its name; survives restarts of both.
enum class WorkerOrder : std::uint8_t {
  kAdmit,  // takes back any other
  kDrain,  // it gets nothing new, ends what it trains, and leaves
  kBan,    // it is sent away, and may not come back
};

struct WorkerOrderRecord {
  std::string worker;
  WorkerOrder order = WorkerOrder::kAdmit;
  WallMillis at = 0;
  std::string reason;  // for people; may be empty
  bool operator==(const WorkerOrderRecord&) const = default;
};

// What one turn writes, in order. Campaign, identity, trial and job records insert or replace the
// row with their key; points, decisions are appended; a ranking replaces the row (campaign, phase,
// rank), a worker's order the one before it.
using Record = std::variant<CampaignRecord, IdentityRecord, TrialRecord, JobRecord, PointRecord,
                            DecisionRecord, RankingRecord, WorkerOrderRecord>;

// All that a core needs to go on after a restart.
struct StoredState {
  std::vector<CampaignRecord> campaigns;  // ascending by id, like all below
  std::vector<IdentityRecord> identities;
  std::vector<TrialRecord> trials;
  std::vector<JobRecord> jobs;
  std::vector<PointRecord> points;        // of all jobs, ascending by (job, attempt, iteration)
  std::vector<WorkerOrderRecord> orders;  // ascending by worker; none of kAdmit
  // What searches that decide by results, and rules that stop runs, were told and decided, of
  // campaigns that are not done: the decisions proposed, promoted, observed, weighed and
  // stopped_early, in the order of their writing.
  std::vector<DecisionRecord> search_log;
  bool operator==(const StoredState&) const = default;
};

// What a campaign's search and verification did.
struct CampaignHistory {
  CampaignRecord campaign;
  std::vector<IdentityRecord> identities;  // the candidates' and perhaps others
  std::vector<TrialRecord> candidates;     // the search's trials, ascending
  std::vector<TrialRecord> repeats;        // the verification's, ascending
  std::vector<DecisionRecord> log;         // as StoredState::search_log
  // Of the jobs of both, ascending by (job, iteration): each iteration once, whichever attempt.
  std::vector<PointRecord> points;
  std::map<JobId, OutcomeKind> outcomes;  // of those of the jobs that have ended
  std::vector<RankingRecord> rankings;    // ascending by (phase, rank)
  std::vector<DecisionRecord> verdicts;   // of `verify` and `compose` about its trials, ascending
};

std::string_view name_of(CampaignState state);  // "surveying", "searching" ...
std::string_view name_of(TrialState state);
std::string_view name_of(JobState state);
std::string_view name_of(TrialPhase phase);
std::string_view name_of(WorkerOrder order);  // "admit", "drain", "ban"
Result<CampaignState> campaign_state_from_name(std::string_view name);
Result<TrialState> trial_state_from_name(std::string_view name);
Result<JobState> job_state_from_name(std::string_view name);
Result<TrialPhase> trial_phase_from_name(std::string_view name);
Result<WorkerOrder> worker_order_from_name(std::string_view name);

}  // namespace lrtune

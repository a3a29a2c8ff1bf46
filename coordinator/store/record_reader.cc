#include "coordinator/store/record_reader.h"

#include <algorithm>
#include <future>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "common/policy/policy_json.h"
#include "coordinator/store/point_reader.h"
#include "coordinator/store/store_file.h"

namespace lrtune {
namespace {

using sql::Rows;
using sql::stored;

template <typename Row>
std::unordered_map<std::int64_t, Row> by_id(std::size_t rows) {
  std::unordered_map<std::int64_t, Row> map;
  map.reserve(rows);
  return map;
}

nlohmann::json json_of(const Rows& row, int column) {
  return nlohmann::json::parse(row.text(column));
}

std::vector<CampaignRecord> read_campaigns(SQLite::Database& database) {
  std::vector<CampaignRecord> campaigns;
  Rows rows(database,
            "SELECT id, name, hash, experiment, state, failure, created_at, ended_at, "
            "busy_seconds, priority, paused, extensions, checksum FROM campaign ORDER BY id");
  while (rows.next()) {
    rows.verify("campaign", 0, 12);
    CampaignRecord& record = campaigns.emplace_back();
    record.id.value = rows.integer(0);
    record.name = rows.string(1);
    record.hash = rows.digest(2);
    record.experiment = json_of(rows, 3);
    record.state = stored(campaign_state_from_name(rows.text(4)));
    record.failure = rows.text(5);
    record.created_at = rows.integer(6);
    record.ended_at = rows.integer(7);
    record.busy_seconds = rows.real(8);
    record.priority = static_cast<int>(rows.integer(9));
    record.paused = rows.integer(10) != 0;
    record.extensions = static_cast<int>(rows.integer(11));
  }
  return campaigns;
}

std::unordered_map<std::int64_t, Policy> read_policies(SQLite::Database& database) {
  auto policies = by_id<Policy>(sql::count_rows(database, "policy"));
  Rows rows(database, "SELECT id, hash, document, description, checksum FROM policy");
  while (rows.next()) {
    rows.verify("policy", 0, 4);
    policies.emplace(rows.integer(0), stored(policy_from_json(json_of(rows, 2), {})));
  }
  return policies;
}

// Fills `identities` in the order in which they were first written, and gives their hashes by row.
std::unordered_map<std::int64_t, Digest> read_identities(SQLite::Database& database,
                                                         std::vector<IdentityRecord>& identities) {
  std::unordered_map<std::int64_t, Digest> hashes;
  Rows rows(database,
            "SELECT id, hash, dataset, model, optimizer, document, checksum FROM identity "
            "ORDER BY id");
  while (rows.next()) {
    rows.verify("identity", 0, 6);
    IdentityRecord record{rows.digest(1), stored(training_identity_from_json(json_of(rows, 5)))};
    hashes.emplace(rows.integer(0), record.hash);
    identities.push_back(std::move(record));
  }
  return hashes;
}

using Policies = std::unordered_map<std::int64_t, Policy>;

std::vector<TrialRecord> read_trials(SQLite::Database& database,
                                     const std::unordered_map<std::int64_t, Digest>& identities,
                                     const Policies& policies) {
  std::vector<TrialRecord> trials;
  trials.reserve(sql::count_rows(database, "trial"));
  Rows rows(database,
            "SELECT id, campaign, number, phase, verifies, repeat, seed, identity, policy, "
            "iterations, evaluate_every, evaluate_on, train_subset, target_measure, target_value, "
            "stop_at_target, job, state, max_seconds, scale, m_opt_every, checksum FROM trial "
            "ORDER BY id");
  while (rows.next()) {
    rows.verify("trial", 0, 21);
    TrialRecord& trial = trials.emplace_back();
    trial.id.value = rows.integer(0);
    trial.campaign.value = rows.integer(1);
    trial.number = rows.integer(2);
    trial.phase = stored(trial_phase_from_name(rows.text(3)));
    trial.verifies.value = rows.integer(4);  // NULL reads as 0
    trial.repeat = static_cast<std::uint32_t>(rows.integer(5));
    trial.seed = static_cast<std::uint64_t>(rows.integer(6));
    trial.identity = identities.at(rows.integer(7));
    trial.policy = policies.at(rows.integer(8));
    trial.plan = plan_of(rows, 9, 18, 20);
    trial.job.value = rows.integer(16);
    trial.state = stored(trial_state_from_name(rows.text(17)));
    trial.scale = rows.real(19);
  }
  return trials;
}

// What controllers made of their jobs.
void read_realised(SQLite::Database& database, const Policies& policies,
                   std::vector<JobRecord>& jobs) {
  Rows rows(database, "SELECT job, policy, checksum FROM realised ORDER BY job");
  while (rows.next()) {
    rows.verify("realised", 0, 2);
    const JobId id{rows.integer(0)};
    const auto job = std::ranges::lower_bound(jobs, id, {}, &JobRecord::id);
    if (job == jobs.end() || job->id != id || !job->outcome)
      throw std::runtime_error("a realised schedule belongs to no job that has ended");
    job->outcome->realised = policies.at(rows.integer(1));
  }
}

std::vector<JobRecord> read_jobs(SQLite::Database& database, const Policies& policies) {
  std::vector<JobRecord> jobs;
  jobs.reserve(sql::count_rows(database, "job"));
  Rows rows(database,
            "SELECT id, key, from_state, to_state, state, attempt, deaths, worker, outcome, "
            "outcome_iteration, outcome_state, outcome_message, after, from_iteration, iterations, "
            "checksum FROM job ORDER BY id");
  while (rows.next()) {
    rows.verify("job", 0, 15);
    JobRecord& job = jobs.emplace_back();
    job.id.value = rows.integer(0);
    job.key = rows.digest(1);
    job.from_state = rows.digest(2);
    job.to_state = rows.digest(3);
    job.state = stored(job_state_from_name(rows.text(4)));
    job.attempt = rows.integer(5);
    job.deaths = static_cast<int>(rows.integer(6));
    job.worker = rows.text(7);
    job.outcome = outcome_of(rows, 8);
    job.after.value = rows.integer(12);  // NULL reads as 0
    job.from_iteration = rows.integer(13);
    job.iterations = rows.integer(14);
  }
  read_realised(database, policies, jobs);
  return jobs;
}

std::vector<WorkerOrderRecord> read_orders(SQLite::Database& database) {
  std::vector<WorkerOrderRecord> orders;
  Rows rows(database,
            "SELECT worker, kind, at, reason, checksum FROM worker_order ORDER BY worker");
  while (rows.next()) {
    rows.verify("worker_order", 0, 4);
    orders.push_back({rows.string(0), stored(worker_order_from_name(rows.text(1))), rows.integer(2),
                      rows.string(3)});
  }
  return orders;
}

// A search's log, of campaign ?1, or if that is 0 of all that are not done.
constexpr const char* kSelectLog =
    "SELECT decision.id, decision.campaign, decision.trial, decision.at, decision.code, "
    "decision.numbers, decision.checksum FROM campaign "
    "CROSS JOIN trial ON trial.campaign = campaign.id "
    "CROSS JOIN decision ON decision.trial = trial.id "
    "WHERE iif(?1 = 0, campaign.state <> 'done', campaign.id = ?1) "
    "AND (json_extract(campaign.experiment, '$.search.method') NOT IN ('list', 'grid', 'random', "
    "'sobol') "
    "OR json_extract(campaign.experiment, '$.search.stop') IS NOT NULL) "
    "AND decision.code IN ('proposed', 'promoted', 'observed', 'weighed', 'stopped_early') "
    "ORDER BY decision.id";

std::vector<DecisionRecord> read_search_log(SQLite::Database& database, CampaignId campaign) {
  std::vector<DecisionRecord> log;
  Rows rows(database, kSelectLog);
  rows.use(campaign);
  while (rows.next()) {
    rows.verify("decision", 0, 6);
    log.push_back({CampaignId{rows.integer(1)}, TrialId{rows.integer(2)}, rows.integer(3),
                   rows.string(4), json_of(rows, 5)});
  }
  return log;
}

}  // namespace

RunPlan plan_of(const Rows& row, int first, int max_seconds, int m_opt_every) {
  RunPlan plan;
  plan.iterations = row.integer(first);
  plan.evaluate_every = row.integer(first + 1);
  plan.evaluate_on = stored(part_from_name(row.text(first + 2)));
  plan.train_subset = row.integer(first + 3);
  if (!row.null(first + 4)) {
    const Measure measure =
        row.text(first + 4) == name_of(Measure::kLoss) ? Measure::kLoss : Measure::kTop1;
    plan.target = Target{measure, row.real(first + 5)};
  }
  plan.stop_at_target = row.integer(first + 6) != 0;
  if (!row.null(max_seconds)) plan.max_seconds = row.real(max_seconds);
  plan.m_opt_every = row.integer(m_opt_every);  // NULL reads as 0
  return plan;
}

std::optional<Outcome> outcome_of(const Rows& row, int first) {
  if (row.null(first)) return std::nullopt;
  return Outcome{stored(outcome_kind_from_name(row.text(first))), row.integer(first + 1),
                 row.digest(first + 2), row.string(first + 3)};
}

// Points are most of a store's rows. With many of them a thread with a connection of its own reads
// them, while this one reads the rest.
std::future<std::vector<PointRecord>> points_of(SQLite::Database& database) {
  constexpr std::size_t kWorthAThread = 20'000;
  if (sql::count_rows(database, "point") < kWorthAThread)
    return std::async(std::launch::deferred, [&database] { return read_points(database); });
  return std::async(std::launch::async, [path = std::string(database.getFilename())] {
    const auto own = open_for_reading(path);
    if (!own) throw std::runtime_error(own.error().message);
    return read_points(**own);
  });
}

namespace {

void read_all_but_points(SQLite::Database& database, StoredState& state) {
  state.campaigns = read_campaigns(database);
  const auto identities = read_identities(database, state.identities);
  const Policies policies = read_policies(database);
  state.trials = read_trials(database, identities, policies);
  state.jobs = read_jobs(database, policies);
  state.orders = read_orders(database);
  state.search_log = read_search_log(database, CampaignId{});
}

}  // namespace

StoredState read_all(SQLite::Database& database) {
  // One state of the file for all the reads: nobody can write meanwhile.
  SQLite::Transaction snapshot(database, SQLite::TransactionBehavior::IMMEDIATE);
  StoredState state;
  auto points = points_of(database);
  read_all_but_points(database, state);
  state.points = points.get();
  snapshot.commit();
  return state;
}

StoredState read_moment(SQLite::Database& database) {
  const SQLite::Transaction snapshot(database);
  StoredState state;
  read_all_but_points(database, state);
  state.points = read_points(database);
  return state;
}

// Attempts of one job reach the same states: any of them will do for each iteration.
constexpr const char* kOfOneJob =
    "WHERE job = ?2 AND attempt = (SELECT max(other.attempt) FROM point AS other WHERE "
    "other.job = point.job AND other.iteration = point.iteration) ORDER BY iteration";

void read_rankings(SQLite::Database& database, CampaignHistory& history) {
  Rows rows(database,
            "SELECT phase, rank, trial, scores FROM ranking WHERE campaign = ? "
            "ORDER BY phase <> 'search', rank");
  rows.use(history.campaign.id);
  while (rows.next()) {
    history.rankings.push_back({history.campaign.id, stored(trial_phase_from_name(rows.text(0))),
                                static_cast<int>(rows.integer(1)), TrialId{rows.integer(2)},
                                json_of(rows, 3)});
  }
}

void read_verdicts(SQLite::Database& database, CampaignHistory& history) {
  Rows rows(
      database,
      "SELECT decision.id, decision.campaign, decision.trial, decision.at, decision.code, "
      "decision.numbers, decision.checksum FROM trial "
      "CROSS JOIN decision ON decision.trial = trial.id "
      "WHERE trial.campaign = ? AND decision.code IN ('verdict', 'composed') ORDER BY decision.id");
  rows.use(history.campaign.id);
  while (rows.next()) {
    rows.verify("decision", 0, 6);
    history.verdicts.push_back({CampaignId{rows.integer(1)}, TrialId{rows.integer(2)},
                                rows.integer(3), rows.string(4), json_of(rows, 5)});
  }
}

// The points and outcomes of the history's jobs.
void read_runs(SQLite::Database& database, CampaignHistory& history) {
  std::set<JobId> jobs;
  for (const TrialRecord& trial : history.candidates) jobs.insert(trial.job);
  for (const TrialRecord& trial : history.repeats) jobs.insert(trial.job);
  Rows points(database, std::string(kSelectPoints) + kOfOneJob);
  Rows outcomes(database, "SELECT outcome FROM job WHERE id = ? AND outcome IS NOT NULL");
  for (const JobId job : jobs) {
    points.use(static_cast<std::int64_t>(kMetricVersion), job);
    while (points.next()) history.points.push_back({job, 0, {}, 0, point_of(points)});
    outcomes.use(job);
    if (outcomes.next())
      history.outcomes.emplace(job, stored(outcome_kind_from_name(outcomes.text(0))));
  }
}

CampaignHistory read_history(SQLite::Database& database, CampaignId campaign) {
  const SQLite::Transaction snapshot(database);
  CampaignHistory history;
  for (CampaignRecord& record : read_campaigns(database)) {
    if (record.id == campaign) history.campaign = std::move(record);
  }
  const auto identities = read_identities(database, history.identities);
  for (TrialRecord& trial : read_trials(database, identities, read_policies(database))) {
    if (trial.campaign != campaign) continue;
    if (trial.phase == TrialPhase::kSearch)
      history.candidates.push_back(std::move(trial));
    else if (trial.phase == TrialPhase::kVerify)
      history.repeats.push_back(std::move(trial));
  }
  history.log = read_search_log(database, campaign);
  read_runs(database, history);
  read_rankings(database, history);
  read_verdicts(database, history);
  return history;
}

}  // namespace lrtune

#include "coordinator/store/record_reader.h"

#include <string>
#include <unordered_map>

#include "common/policy/policy_json.h"
#include "coordinator/store/sql_values.h"

namespace lrtune {
namespace {

using sql::digest_of;
using sql::stored;

template <typename Row>
std::unordered_map<std::int64_t, Row> by_id(std::size_t rows) {
  std::unordered_map<std::int64_t, Row> map;
  map.reserve(rows);
  return map;
}

std::size_t count_of(SQLite::Database& database, const std::string& table) {
  return static_cast<std::size_t>(database.execAndGet("SELECT count(*) FROM " + table).getInt64());
}

CampaignRecord campaign_of(const SQLite::Statement& row) {
  CampaignRecord record;
  record.id.value = row.getColumn(0).getInt64();
  record.name = row.getColumn(1).getString();
  record.hash = digest_of(row.getColumn(2));
  record.experiment = nlohmann::json::parse(row.getColumn(3).getString());
  record.state = stored(campaign_state_from_name(row.getColumn(4).getString()));
  record.failure = row.getColumn(5).getString();
  record.created_at = row.getColumn(6).getInt64();
  record.ended_at = row.getColumn(7).getInt64();
  record.busy_seconds = row.getColumn(8).getDouble();
  record.priority = row.getColumn(9).getInt();
  record.paused = row.getColumn(10).getInt() != 0;
  record.extensions = row.getColumn(11).getInt();
  return record;
}

std::unordered_map<std::int64_t, Policy> read_policies(SQLite::Database& database) {
  auto policies = by_id<Policy>(count_of(database, "policy"));
  SQLite::Statement rows(database, "SELECT id, document FROM policy");
  while (rows.executeStep()) {
    const auto document = nlohmann::json::parse(rows.getColumn(1).getString());
    policies.emplace(rows.getColumn(0).getInt64(), stored(policy_from_json(document, {})));
  }
  return policies;
}

// Fills `identities` in the order in which they were first written, and gives their hashes by row.
std::unordered_map<std::int64_t, Digest> read_identities(SQLite::Database& database,
                                                         std::vector<IdentityRecord>& identities) {
  std::unordered_map<std::int64_t, Digest> hashes;
  SQLite::Statement rows(database, "SELECT id, hash, document FROM identity ORDER BY id");
  while (rows.executeStep()) {
    const auto document = nlohmann::json::parse(rows.getColumn(2).getString());
    IdentityRecord record{digest_of(rows.getColumn(1)),
                          stored(training_identity_from_json(document))};
    hashes.emplace(rows.getColumn(0).getInt64(), record.hash);
    identities.push_back(std::move(record));
  }
  return hashes;
}

std::vector<TrialRecord> read_trials(SQLite::Database& database,
                                     const std::unordered_map<std::int64_t, Digest>& identities) {
  const auto policies = read_policies(database);
  std::vector<TrialRecord> trials;
  trials.reserve(count_of(database, "trial"));
  SQLite::Statement rows(
      database,
      "SELECT id, campaign, number, phase, verifies, repeat, seed, identity, policy, iterations, "
      "evaluate_every, evaluate_on, train_subset, target_measure, target_value, stop_at_target, "
      "max_seconds, job, state, scale FROM trial ORDER BY id");
  while (rows.executeStep()) {
    TrialRecord& trial = trials.emplace_back();
    trial.id.value = rows.getColumn(0).getInt64();
    trial.campaign.value = rows.getColumn(1).getInt64();
    trial.number = rows.getColumn(2).getInt64();
    trial.phase = stored(trial_phase_from_name(rows.getColumn(3).getString()));
    trial.verifies.value = rows.getColumn(4).getInt64();  // NULL reads as 0
    trial.repeat = static_cast<std::uint32_t>(rows.getColumn(5).getInt64());
    trial.seed = static_cast<std::uint64_t>(rows.getColumn(6).getInt64());
    trial.identity = identities.at(rows.getColumn(7).getInt64());
    trial.policy = policies.at(rows.getColumn(8).getInt64());
    trial.plan = plan_of(rows, 9);
    trial.job.value = rows.getColumn(17).getInt64();
    trial.state = stored(trial_state_from_name(rows.getColumn(18).getString()));
    trial.scale = rows.getColumn(19).getDouble();
  }
  return trials;
}

std::vector<JobRecord> read_jobs(SQLite::Database& database) {
  std::vector<JobRecord> jobs;
  jobs.reserve(count_of(database, "job"));
  SQLite::Statement rows(
      database,
      "SELECT id, key, from_state, to_state, state, attempt, deaths, worker, outcome, "
      "outcome_iteration, outcome_state, outcome_message FROM job ORDER BY id");
  while (rows.executeStep()) {
    JobRecord& job = jobs.emplace_back();
    job.id.value = rows.getColumn(0).getInt64();
    job.key = digest_of(rows.getColumn(1));
    job.from_state = digest_of(rows.getColumn(2));
    job.to_state = digest_of(rows.getColumn(3));
    job.state = stored(job_state_from_name(rows.getColumn(4).getString()));
    job.attempt = rows.getColumn(5).getInt64();
    job.deaths = rows.getColumn(6).getInt();
    job.worker = rows.getColumn(7).getString();
    job.outcome = outcome_of(rows, 8);
  }
  return jobs;
}

constexpr int kMetricColumns = 7;

PartMetrics metrics_of(const SQLite::Statement& row, int first) {
  PartMetrics metrics{row.getColumn(first).getDouble(),
                      row.getColumn(first + 1).getDouble(),
                      row.getColumn(first + 2).getDouble(),
                      {}};
  if (!row.getColumn(first + 3).isNull()) {
    metrics.confidence = {row.getColumn(first + 3).getDouble(),
                          row.getColumn(first + 4).getDouble(),
                          row.getColumn(first + 5).getDouble(), row.getColumn(first + 6).getInt()};
  }
  return metrics;
}

std::vector<PointRecord> read_points(SQLite::Database& database) {
  std::vector<PointRecord> points;
  points.reserve(count_of(database, "point"));
  SQLite::Statement rows(database, std::string(kSelectPoints) + "ORDER BY job, attempt, iteration");
  rows.bind(1, kMetricVersion);
  while (rows.executeStep()) points.push_back(point_of(rows));
  return points;
}

std::vector<WorkerOrderRecord> read_orders(SQLite::Database& database) {
  std::vector<WorkerOrderRecord> orders;
  SQLite::Statement rows(database,
                         "SELECT worker, kind, at, reason FROM worker_order ORDER BY worker");
  while (rows.executeStep()) {
    orders.push_back({rows.getColumn(0).getString(),
                      stored(worker_order_from_name(rows.getColumn(1).getString())),
                      rows.getColumn(2).getInt64(), rows.getColumn(3).getString()});
  }
  return orders;
}

}  // namespace

const char* const kSelectPoints =
    "SELECT job, attempt, evaluated_on, train_subset, iteration, state.name, learning_rate, "
    "train_seconds, evaluate_seconds, "
    "train.loss, train.top1, train.top5, train.confidence, train.confidence_deviation, "
    "train.class_confidence_deviation, train.classes_left_out, "
    "evaluated.loss, evaluated.top1, evaluated.top5, evaluated.confidence, "
    "evaluated.confidence_deviation, evaluated.class_confidence_deviation, "
    "evaluated.classes_left_out "
    "FROM point "
    "JOIN state ON state.id = point.state "
    "JOIN metric AS train ON train.state = point.state AND train.part = 'train' "
    "AND train.subset = point.train_subset AND train.version = ?1 "
    "JOIN metric AS evaluated ON evaluated.state = point.state AND evaluated.part = "
    "point.evaluated_on "
    "AND evaluated.subset = 0 AND evaluated.version = ?1 ";

PointRecord point_of(const SQLite::Statement& row) {
  PointRecord record;
  record.job.value = row.getColumn(0).getInt64();
  record.attempt = row.getColumn(1).getInt64();
  record.evaluated_on = stored(part_from_name(row.getColumn(2).getString()));
  record.train_subset = row.getColumn(3).getInt64();
  record.point.iteration = row.getColumn(4).getInt64();
  record.point.state = digest_of(row.getColumn(5));
  record.point.learning_rate = row.getColumn(6).getDouble();
  record.point.train_seconds = row.getColumn(7).getDouble();
  record.point.evaluate_seconds = row.getColumn(8).getDouble();
  record.point.train = metrics_of(row, 9);
  record.point.evaluated = metrics_of(row, 9 + kMetricColumns);
  return record;
}

RunPlan plan_of(const SQLite::Statement& row, int first) {
  RunPlan plan;
  plan.iterations = row.getColumn(first).getInt64();
  plan.evaluate_every = row.getColumn(first + 1).getInt64();
  plan.evaluate_on = stored(part_from_name(row.getColumn(first + 2).getString()));
  plan.train_subset = row.getColumn(first + 3).getInt64();
  if (!row.getColumn(first + 4).isNull()) {
    const Measure measure = row.getColumn(first + 4).getString() == name_of(Measure::kLoss)
                                ? Measure::kLoss
                                : Measure::kTop1;
    plan.target = Target{measure, row.getColumn(first + 5).getDouble()};
  }
  plan.stop_at_target = row.getColumn(first + 6).getInt() != 0;
  if (!row.getColumn(first + 7).isNull()) plan.max_seconds = row.getColumn(first + 7).getDouble();
  return plan;
}

std::optional<Outcome> outcome_of(const SQLite::Statement& row, int first) {
  if (row.getColumn(first).isNull()) return std::nullopt;
  return Outcome{stored(outcome_kind_from_name(row.getColumn(first).getString())),
                 row.getColumn(first + 1).getInt64(), digest_of(row.getColumn(first + 2)),
                 row.getColumn(first + 3).getString()};
}

StoredState read_all(SQLite::Database& database) {
  SQLite::Transaction snapshot(database);  // one state of the file for all the reads
  StoredState state;
  SQLite::Statement campaigns(
      database,
      "SELECT id, name, hash, experiment, state, failure, created_at, ended_at, "
      "busy_seconds, priority, paused, extensions FROM campaign ORDER BY id");
  while (campaigns.executeStep()) state.campaigns.push_back(campaign_of(campaigns));
  const auto identities = read_identities(database, state.identities);
  state.trials = read_trials(database, identities);
  state.jobs = read_jobs(database);
  state.points = read_points(database);
  state.orders = read_orders(database);
  snapshot.commit();
  return state;
}

}  // namespace lrtune

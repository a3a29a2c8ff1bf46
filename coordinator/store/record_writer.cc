#include "coordinator/store/record_writer.h"

#include <stdexcept>
#include <string>

#include "common/policy/policy_json.h"
#include "coordinator/store/sql_values.h"

namespace lrtune {
namespace {

using sql::execute;
using sql::Use;

constexpr std::size_t kKnownTrials = 16384;
constexpr std::int64_t kWholePart = 0;  // metric.subset of the part that is evaluated

constexpr const char* kCampaign = R"sql(
INSERT INTO campaign VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (id) DO UPDATE SET name = ?2, hash = ?3, experiment = ?4, state = ?5, failure = ?6, created_at = ?7,
  ended_at = ?8, busy_seconds = ?9, priority = ?10, paused = ?11, extensions = ?12)sql";

constexpr const char* kIdentity = R"sql(
INSERT INTO identity (hash, dataset, model, optimizer, document) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (hash) DO UPDATE SET dataset = ?2, model = ?3, optimizer = ?4, document = ?5)sql";

constexpr const char* kTrial = R"sql(
INSERT INTO trial VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
ON CONFLICT (id) DO UPDATE SET campaign = ?2, number = ?3, phase = ?4, verifies = ?5, repeat = ?6, seed = ?7,
  identity = ?8, policy = ?9, iterations = ?10, evaluate_every = ?11, evaluate_on = ?12, train_subset = ?13,
  target_measure = ?14, target_value = ?15, stop_at_target = ?16, job = ?17, state = ?18, max_seconds = ?19, scale = ?20)sql";

constexpr const char* kJob = R"sql(
INSERT INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (id) DO UPDATE SET key = ?2, from_state = ?3, to_state = ?4, state = ?5, attempt = ?6, deaths = ?7,
  worker = ?8, outcome = ?9, outcome_iteration = ?10, outcome_state = ?11, outcome_message = ?12)sql";

constexpr const char* kRanking = R"sql(
INSERT INTO ranking VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (campaign, phase, rank) DO UPDATE SET trial = ?4, scores = ?5)sql";

constexpr const char* kWorkerOrder = R"sql(
INSERT INTO worker_order VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (worker) DO UPDATE SET kind = ?2, at = ?3, reason = ?4)sql";

}  // namespace

RecordWriter::RecordWriter(SQLite::Database& database)
    : database_(database),
      campaign_(database, kCampaign),
      identity_(database, kIdentity),
      find_identity_(database, "SELECT id FROM identity WHERE hash = ?"),
      find_policy_(database, "SELECT id FROM policy WHERE hash = ?"),
      policy_(database, "INSERT INTO policy (hash, document, description) VALUES (?, ?, ?)"),
      trial_(database, kTrial),
      trial_state_(database, "UPDATE trial SET job = ?2, state = ?3 WHERE id = ?1"),
      job_(database, kJob),
      find_state_(database, "SELECT id FROM state WHERE name = ?"),
      state_(database, "INSERT INTO state (name) VALUES (?) ON CONFLICT DO NOTHING"),
      metric_(
          database,
          "INSERT INTO metric VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
          "SET loss = excluded.loss, top1 = excluded.top1, top5 = excluded.top5, "
          "confidence = coalesce(excluded.confidence, confidence), "
          "confidence_deviation = coalesce(excluded.confidence_deviation, confidence_deviation), "
          "class_confidence_deviation = "
          "coalesce(excluded.class_confidence_deviation, class_confidence_deviation), "
          "classes_left_out = coalesce(excluded.classes_left_out, classes_left_out)"),
      point_(database,
             "INSERT INTO point VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
      decision_(database,
                "INSERT INTO decision (campaign, trial, at, code, numbers) VALUES (?, ?, ?, ?, ?)"),
      ranking_(database, kRanking),
      worker_order_(database, kWorkerOrder),
      take_back_order_(database, "DELETE FROM worker_order WHERE worker = ?") {}

void RecordWriter::write(const CampaignRecord& record) {
  execute(campaign_, record.id, record.name, record.hash, sql::exact_text(record.experiment),
          name_of(record.state), record.failure, record.created_at, record.ended_at,
          record.busy_seconds, record.priority, record.paused, record.extensions);
}

void RecordWriter::write(const IdentityRecord& record) {
  const TrainSpec& train = record.identity.train;
  execute(identity_, record.hash, train.dataset.name, train.model.name, train.optimizer.name,
          sql::exact_text(to_json(record.identity)));
}

void RecordWriter::write(const TrialRecord& record) {
  if (changed_state_only(record)) {
    execute(trial_state_, record.id, record.job, name_of(record.state));
    return;
  }
  write_whole(record);
  if (known_trials_.size() >= kKnownTrials) known_trials_.clear();
  known_trials_.insert_or_assign(record.id, record);
}

bool RecordWriter::changed_state_only(const TrialRecord& record) {
  const auto known = known_trials_.find(record.id);
  if (known == known_trials_.end()) return false;
  known->second.job = record.job;
  known->second.state = record.state;
  return known->second == record;
}

void RecordWriter::write_whole(const TrialRecord& record) {
  const RunPlan& plan = record.plan;
  std::optional<std::string_view> measure;
  std::optional<double> value;
  if (plan.target) {
    measure = name_of(plan.target->measure);
    value = plan.target->value;
  }
  execute(trial_, record.id, record.campaign, record.number, name_of(record.phase), record.verifies,
          record.repeat, record.seed, identity_row(record.identity), policy_row(record.policy),
          plan.iterations, plan.evaluate_every, name_of(plan.evaluate_on), plan.train_subset,
          measure, value, plan.stop_at_target, record.job, name_of(record.state), plan.max_seconds,
          record.scale);
}

void RecordWriter::write(const JobRecord& record) {
  std::optional<std::string_view> kind;
  std::optional<std::int64_t> iteration;
  std::optional<Digest> state;
  std::optional<std::string> message;
  if (record.outcome) {
    kind = name_of(record.outcome->kind);
    iteration = record.outcome->iteration;
    state = record.outcome->state;
    message = record.outcome->message;
  }
  execute(job_, record.id, record.key, record.from_state, record.to_state, name_of(record.state),
          record.attempt, record.deaths, record.worker, kind, iteration, state, message);
}

void RecordWriter::write(const PointRecord& record) {
  const MetricPoint& point = record.point;
  const std::int64_t state = state_row(point.state);
  write_metric(state, Part::kTrain, record.train_subset, point.train);
  write_metric(state, record.evaluated_on, kWholePart, point.evaluated);
  execute(point_, record.job, record.attempt, point.iteration, state, name_of(record.evaluated_on),
          record.train_subset, point.learning_rate, point.train_seconds, point.evaluate_seconds);
}

void RecordWriter::write(const DecisionRecord& record) {
  execute(decision_, record.campaign, record.trial, record.at, record.code,
          sql::exact_text(record.numbers));
}

void RecordWriter::write(const RankingRecord& record) {
  execute(ranking_, record.campaign, name_of(record.phase), record.rank, record.trial,
          sql::exact_text(record.scores));
}

void RecordWriter::write(const WorkerOrderRecord& record) {
  if (record.order == WorkerOrder::kAdmit) {
    execute(take_back_order_, record.worker);
  } else {
    execute(worker_order_, record.worker, name_of(record.order), record.at, record.reason);
  }
}

std::int64_t RecordWriter::policy_row(const Policy& policy) {
  const std::string document = sql::exact_text(to_json(policy));
  const Digest hash = sha256(document);
  {
    Use find(find_policy_, hash);
    if (find.next()) return find.column(0).getInt64();
  }
  execute(policy_, hash, document, describe(policy));
  return database_.getLastInsertRowid();
}

std::int64_t RecordWriter::identity_row(const Digest& hash) {
  if (const auto known = known_identities_.find(hash); known != known_identities_.end())
    return known->second;
  Use find(find_identity_, hash);
  if (!find.next()) {
    throw std::invalid_argument("a trial has the training identity " + hash.hex() +
                                ", which was never written");
  }
  return known_identities_[hash] = find.column(0).getInt64();
}

// Most states are new, so that the insertion comes first.
std::int64_t RecordWriter::state_row(const Digest& name) {
  execute(state_, name);
  if (database_.getChanges() > 0) return database_.getLastInsertRowid();
  Use find(find_state_, name);
  if (!find.next()) throw std::runtime_error("state " + name.hex() + " is in the store and is not");
  return find.column(0).getInt64();
}

void RecordWriter::write_metric(std::int64_t state, Part part, std::int64_t subset,
                                const PartMetrics& metrics) {
  const auto& confidence = metrics.confidence;
  const auto known = [&](double Confidence::*field) {
    return confidence ? std::optional((*confidence).*field) : std::nullopt;
  };
  execute(metric_, state, name_of(part), subset, kMetricVersion, metrics.loss, metrics.top1,
          metrics.top5, known(&Confidence::mean), known(&Confidence::deviation),
          known(&Confidence::class_deviation),
          confidence ? std::optional<std::int64_t>(confidence->classes_left_out) : std::nullopt);
}

}  // namespace lrtune

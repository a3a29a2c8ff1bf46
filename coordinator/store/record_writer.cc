#include "coordinator/store/record_writer.h"

#include <stdexcept>
#include <string>

#include "common/policy/policy_json.h"
#include "coordinator/store/sql_values.h"

namespace lrtune {
namespace {

using sql::execute;
using sql::Use;
using sql::write_row;

constexpr std::size_t kKnownTrials = 16384;
constexpr std::int64_t kWholePart = 0;  // metric.subset of the part that is evaluated

constexpr const char* kCampaign = R"sql(
INSERT INTO campaign VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT (id) DO UPDATE SET name = ?2, hash = ?3, experiment = ?4, state = ?5, failure = ?6, created_at = ?7,
  ended_at = ?8, busy_seconds = ?9, priority = ?10, paused = ?11, extensions = ?12,
  checksum = ?13)sql";

constexpr const char* kIdentity = R"sql(
INSERT INTO identity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (id) DO UPDATE SET dataset = ?3, model = ?4, optimizer = ?5, document = ?6, checksum = ?7)sql";

constexpr const char* kTrial = R"sql(
INSERT INTO trial VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?22, ?21)
ON CONFLICT (id) DO UPDATE SET campaign = ?2, number = ?3, phase = ?4, verifies = ?5, repeat = ?6, seed = ?7,
  identity = ?8, policy = ?9, iterations = ?10, evaluate_every = ?11, evaluate_on = ?12, train_subset = ?13,
  target_measure = ?14, target_value = ?15, stop_at_target = ?16, job = ?17, state = ?18, max_seconds = ?19, scale = ?20,
  m_opt_every = ?21, checksum = ?22)sql";

constexpr const char* kJob = R"sql(
INSERT INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
ON CONFLICT (id) DO UPDATE SET key = ?2, from_state = ?3, to_state = ?4, state = ?5, attempt = ?6, deaths = ?7,
  worker = ?8, outcome = ?9, outcome_iteration = ?10, outcome_state = ?11, outcome_message = ?12,
  after = ?13, from_iteration = ?14, iterations = ?15, checksum = ?16)sql";

constexpr const char* kRanking = R"sql(
INSERT INTO ranking VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (campaign, phase, rank) DO UPDATE SET trial = ?4, scores = ?5, checksum = ?6)sql";

constexpr const char* kWorkerOrder = R"sql(
INSERT INTO worker_order VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (worker) DO UPDATE SET kind = ?2, at = ?3, reason = ?4, checksum = ?5)sql";

constexpr const char* kRealised = R"sql(
INSERT INTO realised VALUES (?1, ?2, ?3)
ON CONFLICT (job) DO UPDATE SET policy = ?2, checksum = ?3)sql";

constexpr const char* kMetricAgain = R"sql(
UPDATE metric SET loss = ?5, top1 = ?6, top5 = ?7, confidence = ?8, confidence_deviation = ?9,
  class_confidence_deviation = ?10, classes_left_out = ?11, checksum = ?12
WHERE state = ?1 AND part = ?2 AND subset = ?3 AND version = ?4)sql";

constexpr RowChecksum kCampaignRow("campaign");
constexpr RowChecksum kIdentityRow("identity");
constexpr RowChecksum kPolicyRow("policy");
constexpr RowChecksum kTrialRow("trial");
constexpr RowChecksum kJobRow("job");
constexpr RowChecksum kStateRow("state");
constexpr RowChecksum kMetricRow("metric");
constexpr RowChecksum kPointRow("point");
constexpr RowChecksum kDecisionRow("decision");
constexpr RowChecksum kRankingRow("ranking");
constexpr RowChecksum kWorkerOrderRow("worker_order");
constexpr RowChecksum kRealisedRow("realised");
constexpr RowChecksum kMoptRow("m_opt");

// trial.job and trial.state stand in these columns; 0 is the first.
constexpr int kTrialJobColumn = 16;
constexpr int kTrialJobColumns = 2;

// The checksum of a trial's row out of that over its other columns.
RowChecksum with_state(RowChecksum rest, const TrialRecord& record) {
  rest.go_to(kTrialJobColumn);
  add(rest, record.job);
  add(rest, name_of(record.state));
  return rest;
}

void write_metric_row(SQLite::Statement& statement, std::int64_t state, Part part,
                      std::int64_t subset, const PartMetrics& metrics) {
  const auto& confidence = metrics.confidence;
  const auto known = [&](double Confidence::*field) {
    return confidence ? std::optional((*confidence).*field) : std::nullopt;
  };
  write_row(statement, kMetricRow, state, name_of(part), subset, kMetricVersion, metrics.loss,
            metrics.top1, metrics.top5, known(&Confidence::mean), known(&Confidence::deviation),
            known(&Confidence::class_deviation),
            confidence ? std::optional<std::int64_t>(confidence->classes_left_out) : std::nullopt);
}

}  // namespace

RecordWriter::RecordWriter(SQLite::Database& database)
    : database_(database),
      campaign_(database, kCampaign),
      identity_(database, kIdentity),
      find_identity_(database, "SELECT id FROM identity WHERE hash = ?"),
      find_policy_(database, "SELECT id FROM policy WHERE hash = ?"),
      policy_(database, "INSERT INTO policy VALUES (?, ?, ?, ?, ?)"),
      trial_(database, kTrial),
      trial_state_(database, "UPDATE trial SET job = ?2, state = ?3, checksum = ?4 WHERE id = ?1"),
      job_(database, kJob),
      find_state_(database, "SELECT id FROM state WHERE name = ?"),
      state_(database, "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT DO NOTHING"),
      metric_(
          database,
          "INSERT INTO metric VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
      find_metric_(database,
                   "SELECT loss, top1, top5, confidence, confidence_deviation, "
                   "class_confidence_deviation, classes_left_out FROM metric "
                   "WHERE state = ? AND part = ? AND subset = ? AND version = ?"),
      metric_again_(database, kMetricAgain),
      point_(database,
             "INSERT INTO point VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
      decision_(database, "INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?)"),
      ranking_(database, kRanking),
      worker_order_(database, kWorkerOrder),
      take_back_order_(database, "DELETE FROM worker_order WHERE worker = ?"),
      clear_ranking_(database, "DELETE FROM ranking WHERE campaign = ? AND phase = ?"),
      realised_(database, kRealised),
      no_realised_(database, "DELETE FROM realised WHERE job = ?"),
      m_opt_(database, "INSERT INTO m_opt VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
      bounds_(database),
      last_identity_(last_row("identity")),
      last_policy_(last_row("policy")),
      last_state_(last_row("state")),
      last_decision_(last_row("decision")),
      realised_jobs_(sql::count_rows(database, "realised") > 0) {}

std::int64_t RecordWriter::last_row(const char* table) {
  return database_.execAndGet(std::string("SELECT coalesce(max(id), 0) FROM ") + table).getInt64();
}

void RecordWriter::write(const CampaignRecord& record) {
  write_row(campaign_, kCampaignRow, record.id, record.name, record.hash,
            sql::exact_text(record.experiment), name_of(record.state), record.failure,
            record.created_at, record.ended_at, record.busy_seconds, record.priority, record.paused,
            record.extensions);
}

void RecordWriter::write(const IdentityRecord& record) {
  const TrainSpec& train = record.identity.train;
  std::int64_t row = 0;
  {
    Use find(find_identity_, record.hash);
    row = find.next() ? find.column(0).getInt64() : ++last_identity_;
  }
  write_row(identity_, kIdentityRow, row, record.hash, train.dataset.name, train.model.name,
            train.optimizer.name, sql::exact_text(to_json(record.identity)));
}

void RecordWriter::write(const TrialRecord& record) {
  auto known = known_trials_.find(record.id);
  bool same = known != known_trials_.end();
  if (same) {
    TrialRecord& kept = known->second.record;
    kept.job = record.job;
    kept.state = record.state;
    same = kept == record;
  }
  if (same) {
    execute(trial_state_, record.id, record.job, name_of(record.state),
            with_state(known->second.rest, record).value());
  } else {
    KnownTrial written = write_whole(record);
    if (known_trials_.size() >= kKnownTrials) known_trials_.clear();
    known = known_trials_.insert_or_assign(record.id, std::move(written)).first;
  }
  if (record.state > TrialState::kRunning)
    bounds_.note(known->second.policy, known->second.identity, record.job, record.plan.target);
}

RecordWriter::KnownTrial RecordWriter::write_whole(const TrialRecord& record) {
  const RunPlan& plan = record.plan;
  std::optional<std::string_view> measure;
  std::optional<double> value;
  if (plan.target) {
    measure = name_of(plan.target->measure);
    value = plan.target->value;
  }
  const std::int64_t identity = identity_row(record.identity);
  const std::int64_t policy = policy_row(record.policy);
  RowChecksum rest = kTrialRow;
  const auto add_all = [&rest](const auto&... values) { (add(rest, values), ...); };
  add_all(record.id, record.campaign, record.number, name_of(record.phase), record.verifies,
          record.repeat, record.seed, identity, policy, plan.iterations, plan.evaluate_every,
          name_of(plan.evaluate_on), plan.train_subset, measure, value, plan.stop_at_target);
  rest.skip(kTrialJobColumns);
  std::optional<std::int64_t> m_opt_every;
  if (plan.m_opt_every > 0) m_opt_every = plan.m_opt_every;
  add_all(plan.max_seconds, record.scale, m_opt_every);
  execute(trial_, record.id, record.campaign, record.number, name_of(record.phase), record.verifies,
          record.repeat, record.seed, identity, policy, plan.iterations, plan.evaluate_every,
          name_of(plan.evaluate_on), plan.train_subset, measure, value, plan.stop_at_target,
          record.job, name_of(record.state), plan.max_seconds, record.scale, m_opt_every,
          with_state(rest, record).value());
  return {record, policy, identity, rest};
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
  write_row(job_, kJobRow, record.id, record.key, record.from_state, record.to_state,
            name_of(record.state), record.attempt, record.deaths, record.worker, kind, iteration,
            state, message, record.after, record.from_iteration, record.iterations);
  if (record.outcome && record.outcome->realised) {
    write_row(realised_, kRealisedRow, record.id, policy_row(*record.outcome->realised));
    realised_jobs_ = true;
  } else if (realised_jobs_) {
    execute(no_realised_, record.id);  // the job is trained again
  }
}

void RecordWriter::write(const PointRecord& record) {
  const MetricPoint& point = record.point;
  const std::int64_t state = state_row(point.state);
  write_metric(state, Part::kTrain, record.train_subset, point.train);
  write_metric(state, record.evaluated_on, kWholePart, point.evaluated);
  write_row(point_, kPointRow, record.job, record.attempt, point.iteration, state,
            name_of(record.evaluated_on), record.train_subset, point.learning_rate,
            point.train_seconds, point.evaluate_seconds);
  for (const MoptValue& value : point.m_opt) {
    write_row(m_opt_, kMoptRow, record.job, record.attempt, point.iteration, value.iteration,
              value.learning_rate, value.m_opt);
  }
}

void RecordWriter::write(const DecisionRecord& record) {
  write_row(decision_, kDecisionRow, ++last_decision_, record.campaign, record.trial, record.at,
            record.code, sql::exact_text(record.numbers));
}

void RecordWriter::write(const RankingRecord& record) {
  // A ranking is written whole, its first place first: an earlier one may have had more places.
  if (record.rank <= 1) execute(clear_ranking_, record.campaign, name_of(record.phase));
  if (record.rank < 1) return;
  write_row(ranking_, kRankingRow, record.campaign, name_of(record.phase), record.rank,
            record.trial, sql::exact_text(record.scores));
}

void RecordWriter::write(const WorkerOrderRecord& record) {
  if (record.order == WorkerOrder::kAdmit) {
    execute(take_back_order_, record.worker);
  } else {
    write_row(worker_order_, kWorkerOrderRow, record.worker, name_of(record.order), record.at,
              record.reason);
  }
}

std::int64_t RecordWriter::policy_row(const Policy& policy) {
  const std::string document = sql::exact_text(to_json(policy));
  const Digest hash = sha256(document);
  {
    Use find(find_policy_, hash);
    if (find.next()) return find.column(0).getInt64();
  }
  write_row(policy_, kPolicyRow, ++last_policy_, hash, document, describe(policy));
  return last_policy_;
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
  write_row(state_, kStateRow, last_state_ + 1, name);
  if (database_.getChanges() > 0) return ++last_state_;
  Use find(find_state_, name);
  if (!find.next()) throw std::runtime_error("state " + name.hex() + " is in the store and is not");
  return find.column(0).getInt64();
}

void RecordWriter::write_metric(std::int64_t state, Part part, std::int64_t subset,
                                const PartMetrics& metrics) {
  write_metric_row(metric_, state, part, subset, metrics);
  if (database_.getChanges() == 0) measure_again(state, part, subset, metrics);
}

// Most often the state was measured before with the same numbers: then nothing is written.
void RecordWriter::measure_again(std::int64_t state, Part part, std::int64_t subset,
                                 const PartMetrics& metrics) {
  PartMetrics old;
  {
    Use find(find_metric_, state, name_of(part), subset, kMetricVersion);
    if (!find.next()) throw std::runtime_error("a metric is in the store and is not");
    old = {find.column(0).getDouble(), find.column(1).getDouble(), find.column(2).getDouble(), {}};
    if (!find.column(3).isNull()) {
      old.confidence = {find.column(3).getDouble(), find.column(4).getDouble(),
                        find.column(5).getDouble(), find.column(6).getInt()};
    }
  }
  PartMetrics present = metrics;
  if (!present.confidence) present.confidence = old.confidence;  // a measure is not forgotten
  if (present != old) write_metric_row(metric_again_, state, part, subset, present);
}

}  // namespace lrtune

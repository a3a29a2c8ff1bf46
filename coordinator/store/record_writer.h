// Writes records into the tables. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <unordered_map>

#include "coordinator/core/records.h"
#include "coordinator/store/bound.h"
#include "coordinator/store/row_checksum.h"

namespace lrtune {

// Holds the prepared statements of one connection; used inside a transaction. All members throw
// SQLite::Exception, or std::exception for values that a store cannot keep (NaN). Useless after a
// transaction that was rolled back: it knows rows that are not there.
class RecordWriter {
 public:
  explicit RecordWriter(SQLite::Database& database);

  void write(const CampaignRecord& record);
  void write(const IdentityRecord& record);
  void write(const TrialRecord& record);
  void write(const JobRecord& record);
  void write(const PointRecord& record);
  void write(const DecisionRecord& record);
  void write(const RankingRecord& record);
  void write(const WorkerOrderRecord& record);
  // What follows from the records of a transaction; once all of them are written.
  void write_bounds() { bounds_.write_noted(); }

 private:
  struct KnownTrial {
    TrialRecord record;
    std::int64_t policy, identity;  // rows
    RowChecksum rest;               // over all columns but `job` and `state`
  };
  KnownTrial write_whole(const TrialRecord& record);
  std::int64_t policy_row(const Policy& policy);
  std::int64_t identity_row(const Digest& hash);
  std::int64_t state_row(const Digest& name);
  void write_metric(std::int64_t state, Part part, std::int64_t subset, const PartMetrics& metrics);
  void measure_again(std::int64_t state, Part part, std::int64_t subset,
                     const PartMetrics& metrics);
  std::int64_t last_row(const char* table);

  SQLite::Database& database_;
  SQLite::Statement campaign_;
  SQLite::Statement identity_;
  SQLite::Statement find_identity_;
  SQLite::Statement find_policy_;
  SQLite::Statement policy_;
  SQLite::Statement trial_;
  SQLite::Statement trial_state_;
  SQLite::Statement job_;
  SQLite::Statement find_state_;
  SQLite::Statement state_;
  SQLite::Statement metric_;
  SQLite::Statement find_metric_;
  SQLite::Statement metric_again_;
  SQLite::Statement point_;
  SQLite::Statement decision_;
  SQLite::Statement ranking_;
  SQLite::Statement worker_order_;
  SQLite::Statement take_back_order_;
  SQLite::Statement clear_ranking_;
  SQLite::Statement realised_;
  SQLite::Statement no_realised_;
  SQLite::Statement m_opt_;
  BoundWriter bounds_;

  // Row numbers are chosen here, since a row's checksum holds its number.
  std::int64_t last_identity_;
  std::int64_t last_policy_;
  std::int64_t last_state_;
  std::int64_t last_decision_;
  bool realised_jobs_;  // whether any was written

  // A trial is written several times in its life, all but its job and state once: the newest.
  std::unordered_map<TrialId, KnownTrial> known_trials_;
  std::unordered_map<Digest, std::int64_t> known_identities_;
};

}  // namespace lrtune

// Writes records into the tables. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <unordered_map>

#include "coordinator/core/records.h"

namespace lrtune {

// Holds the prepared statements of one connection; used inside a transaction. All members throw
// SQLite::Exception, or std::exception for values that a store cannot keep (NaN).
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

 private:
  struct KnownPolicy {
    Policy policy;
    std::int64_t row;
  };
  std::int64_t policy_row(TrialId trial, const Policy& policy);
  std::int64_t find_or_add_policy(const Policy& policy);
  std::int64_t identity_row(const Digest& hash);
  std::int64_t state_row(const Digest& name);
  void write_metric(std::int64_t state, Part part, std::int64_t subset, const PartMetrics& metrics);

  SQLite::Database& database_;
  SQLite::Statement campaign_;
  SQLite::Statement identity_;
  SQLite::Statement find_identity_;
  SQLite::Statement find_policy_;
  SQLite::Statement policy_;
  SQLite::Statement trial_;
  SQLite::Statement job_;
  SQLite::Statement find_state_;
  SQLite::Statement state_;
  SQLite::Statement metric_;
  SQLite::Statement point_;
  SQLite::Statement decision_;
  SQLite::Statement ranking_;

  // A trial is written several times in its life, its policy once: what the newest trials use.
  std::unordered_map<TrialId, KnownPolicy> known_policies_;
};

}  // namespace lrtune

// The best that the ended trials of a policy reached under a training identity: no mean over any of
// them is better. So the best policies are found without reading all trials. Private to
// coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "coordinator/core/records.h"
#include "coordinator/ranking/ranking.h"
#include "coordinator/store/sql_values.h"

namespace lrtune {

// Only widened, never narrowed: a trial that is written twice, or whose job goes on for another
// campaign, leaves a bound that is wider than it need be, and still holds.
struct Bound {
  std::int64_t runs = 0;  // that ended well and have a point; that many or fewer
  std::int64_t met = 0;   // of them, the target of their plan
  std::optional<std::int64_t> target_iteration;  // lowest
  std::optional<double> best_top1, final_top1;   // highest
  std::optional<double> lowest_loss, final_loss;
  // Train loss minus evaluated loss, at the best and at the final point: lowest and highest.
  std::optional<double> best_difference_low, best_difference_high;
  std::optional<double> final_difference_low, final_difference_high;

  void add(const Scores& run);
  // Not above rank_key() of any RepeatedScores of these runs.
  RankKey key(RankBy by, RankAt at) const;
  bool operator==(const Bound&) const = default;
};

// Widens bounds by trials that have ended, inside the transaction that ends them, once their jobs
// and points are written. Throws SQLite::Exception.
class BoundWriter {
 public:
  explicit BoundWriter(SQLite::Database& database);
  // `policy`, `identity`: rows.
  void note(std::int64_t policy, std::int64_t identity, JobId job,
            const std::optional<Target>& target);
  void write_noted();

 private:
  struct Noted {
    std::int64_t policy, identity;
    JobId job;
    std::optional<Target> target;
  };
  void write(const Noted& trial);
  std::optional<Bound> read(std::int64_t policy, std::int64_t identity);

  sql::Rows points_;
  SQLite::Statement find_;
  SQLite::Statement write_;
  std::vector<Noted> noted_;
};

}  // namespace lrtune

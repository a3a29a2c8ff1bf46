#include "coordinator/store/bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lrtune {
namespace {

constexpr double kWorst = std::numeric_limits<double>::infinity();
constexpr RowChecksum kBoundRow("bound");

// Of the last attempt of a job that ended well.
constexpr const char* kPoints = R"sql(
SELECT point.iteration, evaluated.top1, evaluated.loss, train.loss
FROM job JOIN point ON point.job = job.id AND point.attempt = job.attempt
JOIN metric AS train ON train.state = point.state AND train.part = 'train'
  AND train.subset = point.train_subset AND train.version = ?2
JOIN metric AS evaluated ON evaluated.state = point.state AND evaluated.part = point.evaluated_on
  AND evaluated.subset = 0 AND evaluated.version = ?2
WHERE job.id = ?1 AND (job.outcome = 'completed' OR job.outcome = 'target_reached'
  OR job.outcome = 'time_limit')
ORDER BY point.iteration)sql";

constexpr const char* kWrite = R"sql(
INSERT INTO bound VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT (policy, identity) DO UPDATE SET runs = ?3, met = ?4, target_iteration = ?5, best_top1 = ?6,
  final_top1 = ?7, lowest_loss = ?8, final_loss = ?9, best_difference_low = ?10, best_difference_high = ?11,
  final_difference_low = ?12, final_difference_high = ?13, checksum = ?14)sql";

// What is not finite counts as the worst in a ranking, and widens nothing.
void raise(std::optional<double>& bound, double value) {
  if (std::isfinite(value)) bound = bound ? std::max(*bound, value) : value;
}
void lower(std::optional<double>& bound, double value) {
  if (std::isfinite(value)) bound = bound ? std::min(*bound, value) : value;
}

double smallest_size(const std::optional<double>& low, const std::optional<double>& high) {
  if (!low || !high) return kWorst;
  if (*low <= 0 && *high >= 0) return 0;
  return std::min(std::abs(*low), std::abs(*high));
}

double highest_first(const std::optional<double>& value) { return value ? -*value : kWorst; }

std::vector<MetricPoint> points_of(sql::Rows& rows, JobId job) {
  rows.use(job, kMetricVersion);
  std::vector<MetricPoint> points;
  while (rows.next()) {
    MetricPoint& point = points.emplace_back();
    point.iteration = rows.integer(0);
    point.evaluated.top1 = rows.real(1);
    point.evaluated.loss = rows.real(2);
    point.train.loss = rows.real(3);
  }
  return points;
}

}  // namespace

void Bound::add(const Scores& run) {
  if (!run.ended_well || !run.measured) return;
  ++runs;
  if (run.target_iteration) {
    ++met;
    target_iteration =
        std::min(target_iteration.value_or(*run.target_iteration), *run.target_iteration);
  }
  raise(best_top1, run.best.evaluated.top1);
  raise(final_top1, run.final.evaluated.top1);
  lower(lowest_loss, run.lowest_loss.evaluated.loss);
  lower(final_loss, run.final.evaluated.loss);
  lower(best_difference_low, run.loss_difference(RankAt::kBest));
  raise(best_difference_high, run.loss_difference(RankAt::kBest));
  lower(final_difference_low, run.loss_difference(RankAt::kFinal));
  raise(final_difference_high, run.loss_difference(RankAt::kFinal));
}

RankKey Bound::key(RankBy by, RankAt at) const {
  if (runs == 0) return {2, 0, 0, 0};
  const bool best = at == RankAt::kBest;
  const double top1 = highest_first(best ? best_top1 : final_top1);
  switch (by) {
    case RankBy::kTop1:
      return {0, 0, 0, top1};
    case RankBy::kLoss:
      return {0, 0, 0, (best ? lowest_loss : final_loss).value_or(kWorst)};
    case RankBy::kCost:
      if (!target_iteration) return {0, 0, 0, top1};
      return {0, -static_cast<double>(met), static_cast<double>(*target_iteration), 0};
    case RankBy::kSeconds:  // these are not kept: at best it took none
      if (!target_iteration) return {0, 0, 0, top1};
      return {0, -static_cast<double>(met), 0, 0};
    case RankBy::kRobustness:
      return {0, 0, 0,
              best ? smallest_size(best_difference_low, best_difference_high)
                   : smallest_size(final_difference_low, final_difference_high)};
  }
  return {};
}

BoundWriter::BoundWriter(SQLite::Database& database)
    : points_(database, kPoints),
      find_(database,
            "SELECT runs, met, target_iteration, best_top1, final_top1, lowest_loss, final_loss, "
            "best_difference_low, best_difference_high, final_difference_low, "
            "final_difference_high FROM bound WHERE policy = ? AND identity = ?"),
      write_(database, kWrite) {}

void BoundWriter::note(std::int64_t policy, std::int64_t identity, JobId job,
                       const std::optional<Target>& target) {
  noted_.push_back({policy, identity, job, target});
}

void BoundWriter::write_noted() {
  for (const Noted& trial : noted_) write(trial);
  noted_.clear();
}

void BoundWriter::write(const Noted& trial) {
  const std::optional<Bound> before = read(trial.policy, trial.identity);
  Bound bound = before.value_or(Bound{});
  bound.add(score(points_of(points_, trial.job), OutcomeKind::kCompleted, trial.target));
  if (bound == before) return;
  sql::write_row(write_, kBoundRow, trial.policy, trial.identity, bound.runs, bound.met,
                 bound.target_iteration, bound.best_top1, bound.final_top1, bound.lowest_loss,
                 bound.final_loss, bound.best_difference_low, bound.best_difference_high,
                 bound.final_difference_low, bound.final_difference_high);
}

std::optional<Bound> BoundWriter::read(std::int64_t policy, std::int64_t identity) {
  sql::Use row(find_, policy, identity);
  if (!row.next()) return std::nullopt;
  int column = 0;
  const auto integer = [&] { return row.column(column++).getInt64(); };
  const auto real = [&] {
    const SQLite::Column value = row.column(column++);
    return value.isNull() ? std::nullopt : std::optional(value.getDouble());
  };
  Bound bound;
  bound.runs = integer();
  bound.met = integer();
  if (!row.column(column).isNull()) bound.target_iteration = row.column(column).getInt64();
  ++column;
  for (std::optional<double>* value :
       {&bound.best_top1, &bound.final_top1, &bound.lowest_loss, &bound.final_loss,
        &bound.best_difference_low, &bound.best_difference_high, &bound.final_difference_low,
        &bound.final_difference_high})
    *value = real();
  return bound;
}

}  // namespace lrtune

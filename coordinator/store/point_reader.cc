#include "coordinator/store/point_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <tuple>

#include "coordinator/store/record_reader.h"

namespace lrtune {
namespace {

using sql::Rows;
using sql::stored;

constexpr int kMetricColumns = 7;
constexpr std::int64_t kWholePart = 0;  // metric.subset of the part that is evaluated

PartMetrics metrics_of(const Rows& row, int first) {
  PartMetrics metrics{row.real(first), row.real(first + 1), row.real(first + 2), {}};
  if (!row.null(first + 3)) {
    metrics.confidence = {row.real(first + 3), row.real(first + 4), row.real(first + 5),
                          static_cast<int>(row.integer(first + 6))};
  }
  return metrics;
}

MoptValue m_opt_of(const Rows& row, int first) {
  MoptValue value{row.integer(first), row.real(first + 1), std::nullopt};
  if (!row.null(first + 2)) value.m_opt = row.real(first + 2);
  return value;
}

// A point that waits for the name and the metrics of its state.
struct Waiting {
  std::int64_t state;  // row
  std::size_t point;
  bool named = false;
  bool has_train = false;
  bool has_evaluated = false;
};

// The points, whose states are read afterwards in the order of their rows: looking up each point's
// state and metrics by itself takes five times as long.
class PointTable {
 public:
  explicit PointTable(SQLite::Database& database) : database_(database) {
    read_points();
    read_m_opt();
    std::sort(waiting_.begin(), waiting_.end(), [](const Waiting& a, const Waiting& b) {
      return a.state != b.state ? a.state < b.state : a.point < b.point;
    });
    read_names();
    read_metrics();
    drop_unmeasured();
  }
  std::vector<PointRecord> take() { return std::move(points_); }

 private:
  void read_points();
  void read_m_opt();
  void read_names();
  void read_metrics();
  void drop_unmeasured();

  // Calls `use` with each point of `state`; states must come in ascending order.
  template <typename Use>
  void for_state(std::int64_t state, Use use) {
    while (next_ < waiting_.size() && waiting_[next_].state < state) ++next_;
    for (std::size_t i = next_; i < waiting_.size() && waiting_[i].state == state; ++i)
      use(waiting_[i]);
  }

  SQLite::Database& database_;
  std::vector<PointRecord> points_;
  std::vector<Waiting> waiting_;
  std::size_t next_ = 0;
};

void PointTable::read_points() {
  const std::size_t count = sql::count_rows(database_, "point");
  points_.reserve(count);
  waiting_.reserve(count);
  Rows rows(database_,
            "SELECT job, attempt, iteration, state, evaluated_on, train_subset, learning_rate, "
            "train_seconds, evaluate_seconds, checksum FROM point "
            "ORDER BY job, attempt, iteration");
  while (rows.next()) {
    rows.verify("point", 0, 9);
    waiting_.push_back({rows.integer(3), points_.size()});
    PointRecord& record = points_.emplace_back();
    record.job.value = rows.integer(0);
    record.attempt = rows.integer(1);
    record.point.iteration = rows.integer(2);
    record.evaluated_on = stored(part_from_name(rows.text(4)));
    record.train_subset = rows.integer(5);
    record.point.learning_rate = rows.real(6);
    record.point.train_seconds = rows.real(7);
    record.point.evaluate_seconds = rows.real(8);
  }
}

// Points and values stand in the same order.
void PointTable::read_m_opt() {
  Rows rows(database_,
            "SELECT job, attempt, point, iteration, learning_rate, m_opt, checksum FROM m_opt "
            "ORDER BY job, attempt, point, iteration");
  auto record = points_.begin();
  while (rows.next()) {
    rows.verify("m_opt", 0, 6);
    const std::tuple key(JobId{rows.integer(0)}, rows.integer(1), rows.integer(2));
    const auto key_of = [](const PointRecord& point) {
      return std::tuple(point.job, point.attempt, point.point.iteration);
    };
    while (record != points_.end() && key_of(*record) < key) ++record;
    if (record == points_.end() || key_of(*record) != key)
      throw std::runtime_error("a value of M-opt belongs to no point");
    record->point.m_opt.push_back(m_opt_of(rows, 3));
  }
}

void PointTable::read_names() {
  next_ = 0;
  Rows rows(database_, "SELECT id, name, checksum FROM state ORDER BY id");
  while (rows.next()) {
    rows.verify("state", 0, 2);
    const Digest name = rows.digest(1);
    for_state(rows.integer(0), [&](Waiting& waiting) {
      points_[waiting.point].point.state = name;
      waiting.named = true;
    });
  }
}

void PointTable::read_metrics() {
  next_ = 0;
  Rows rows(database_,
            "SELECT state, part, subset, version, loss, top1, top5, confidence, "
            "confidence_deviation, class_confidence_deviation, classes_left_out, checksum "
            "FROM metric ORDER BY state, part, subset, version");
  while (rows.next()) {
    rows.verify("metric", 0, 11);
    if (rows.integer(3) != kMetricVersion) continue;
    const Part part = stored(part_from_name(rows.text(1)));
    const std::int64_t subset = rows.integer(2);
    const PartMetrics metrics = metrics_of(rows, 4);
    for_state(rows.integer(0), [&](Waiting& waiting) {
      PointRecord& record = points_[waiting.point];
      if (part == Part::kTrain && subset == record.train_subset) {
        record.point.train = metrics;
        waiting.has_train = true;
      }
      if (part == record.evaluated_on && subset == kWholePart) {
        record.point.evaluated = metrics;
        waiting.has_evaluated = true;
      }
    });
  }
}

void PointTable::drop_unmeasured() {
  std::vector<std::size_t> unmeasured;
  for (const Waiting& waiting : waiting_) {
    if (!waiting.named) throw std::runtime_error("a point's state is not in the store");
    if (!waiting.has_train || !waiting.has_evaluated) unmeasured.push_back(waiting.point);
  }
  if (unmeasured.empty()) return;
  std::sort(unmeasured.begin(), unmeasured.end());
  std::size_t kept = unmeasured.front();
  std::size_t dropped = 0;
  for (std::size_t i = kept; i < points_.size(); ++i) {
    if (dropped < unmeasured.size() && unmeasured[dropped] == i) {
      ++dropped;
    } else {
      points_[kept++] = points_[i];
    }
  }
  points_.resize(kept);
}

}  // namespace

const char* const kSelectPoints =
    "SELECT iteration, state.name, learning_rate, train_seconds, evaluate_seconds, "
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

MetricPoint point_of(const Rows& row) {
  return {row.integer(0),
          row.digest(1),
          row.real(2),
          metrics_of(row, 5),
          metrics_of(row, 5 + kMetricColumns),
          row.real(3),
          row.real(4)};
}

const char* const kSelectMopt =
    "SELECT point, iteration, learning_rate, m_opt FROM m_opt "
    "WHERE job = ?1 AND attempt = ?2 ORDER BY iteration";

std::vector<MoptValue> m_opt_series(Rows& rows) {
  std::vector<MoptValue> series;
  while (rows.next()) series.push_back(m_opt_of(rows, 1));
  return series;
}

std::vector<PointRecord> read_points(SQLite::Database& database) {
  return PointTable(database).take();
}

}  // namespace lrtune

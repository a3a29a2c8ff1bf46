#include "tests/support/record_model.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <variant>

namespace lrtune {
namespace {

// Inserts `record`, or replaces the one with the same key; ascending by key.
template <typename Row, typename Key>
void put(std::vector<Row>& rows, const Row& record, Key key) {
  const auto place = std::lower_bound(rows.begin(), rows.end(), record,
                                      [&](const Row& a, const Row& b) { return key(a) < key(b); });
  if (place != rows.end() && key(*place) == key(record)) {
    *place = record;
  } else {
    rows.insert(place, record);
  }
}

struct Applier {
  StoredState& state;
  void operator()(const CampaignRecord& record) {
    put(state.campaigns, record, [](const CampaignRecord& row) { return row.id; });
  }
  void operator()(const IdentityRecord& record) {  // in the order of their first writing
    for (IdentityRecord& row : state.identities) {
      if (row.hash == record.hash) {
        row = record;
        return;
      }
    }
    state.identities.push_back(record);
  }
  void operator()(const TrialRecord& record) {
    put(state.trials, record, [](const TrialRecord& row) { return row.id; });
  }
  void operator()(const JobRecord& record) {
    put(state.jobs, record, [](const JobRecord& row) { return row.id; });
  }
  void operator()(const PointRecord& record) {
    put(state.points, record, [](const PointRecord& row) {
      return std::tuple(row.job, row.attempt, row.point.iteration);
    });
  }
  void operator()(const WorkerOrderRecord& record) {
    std::erase_if(state.orders,
                  [&](const WorkerOrderRecord& row) { return row.worker == record.worker; });
    if (record.order == WorkerOrder::kAdmit) return;
    put(state.orders, record, [](const WorkerOrderRecord& row) { return row.worker; });
  }
  void operator()(const DecisionRecord&) {}  // the core never reads them back
  void operator()(const RankingRecord&) {}
};

}  // namespace

void apply_records(StoredState& state, std::span<const Record> records) {
  for (const Record& record : records) std::visit(Applier{state}, record);
}

}  // namespace lrtune

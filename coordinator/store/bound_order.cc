#include "coordinator/store/bound_order.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "common/training.h"

namespace lrtune {
namespace {

using sql::Rows;

// Of an inexact identity a state may be measured again and otherwise: no bound holds.
struct FittingIdentity {
  bool exact = true;
};

std::unordered_map<std::int64_t, FittingIdentity> fitting_identities(SQLite::Database& database,
                                                                     const PolicyFilter& filter) {
  std::unordered_map<std::int64_t, FittingIdentity> fitting;
  Rows rows(database,
            "SELECT id, document FROM identity WHERE (?1 = '' OR dataset = ?1) "
            "AND (?2 = '' OR model = ?2) AND (?3 = '' OR optimizer = ?3)",
            filter.dataset, filter.model, filter.optimizer);
  while (rows.next()) {
    const auto identity =
        sql::stored(training_identity_from_json(nlohmann::json::parse(rows.text(1))));
    fitting[rows.integer(0)].exact = !identity.train.inexact;
  }
  return fitting;
}

std::optional<double> real_at(const Rows& rows, int column) {
  if (rows.null(column)) return std::nullopt;
  return rows.real(column);
}

Bound bound_at(const Rows& rows, int first) {
  Bound bound;
  bound.runs = rows.integer(first);
  bound.met = rows.integer(first + 1);
  if (!rows.null(first + 2)) bound.target_iteration = rows.integer(first + 2);
  bound.best_top1 = real_at(rows, first + 3);
  bound.final_top1 = real_at(rows, first + 4);
  bound.lowest_loss = real_at(rows, first + 5);
  bound.final_loss = real_at(rows, first + 6);
  bound.best_difference_low = real_at(rows, first + 7);
  bound.best_difference_high = real_at(rows, first + 8);
  bound.final_difference_low = real_at(rows, first + 9);
  bound.final_difference_high = real_at(rows, first + 10);
  return bound;
}

constexpr RankKey kBestOfAll = {-1, 0, 0, 0};

}  // namespace

BoundOrder::BoundOrder(SQLite::Database& database, const PolicyFilter& filter, RankBy by,
                       RankAt at) {
  const auto identities = fitting_identities(database, filter);
  Rows rows(database,
            "SELECT policy, identity, runs, met, target_iteration, best_top1, final_top1, "
            "lowest_loss, final_loss, best_difference_low, best_difference_high, "
            "final_difference_low, final_difference_high FROM bound");
  std::int64_t last = 0;  // identity: mostly that of the row before
  auto found = identities.end();
  while (rows.next()) {
    if (const std::int64_t identity = rows.integer(1); identity != last) {
      last = identity;
      found = identities.find(identity);
    }
    if (found == identities.end()) continue;
    heap_.push_back(
        {found->second.exact ? bound_at(rows, 2).key(by, at) : kBestOfAll, rows.integer(0)});
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void BoundOrder::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
  heap_.pop_back();
}

}  // namespace lrtune

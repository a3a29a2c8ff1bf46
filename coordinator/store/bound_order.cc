#include "coordinator/store/bound_order.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
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

// What a key is made of beside runs, met and target_iteration: of a million rows, columns that
// nobody asks for take most of the time.
struct BoundColumn {
  std::string_view name;
  std::optional<double> Bound::*value;
};

std::vector<BoundColumn> columns_of(RankBy by, RankAt at) {
  const bool best = at == RankAt::kBest;
  switch (by) {
    case RankBy::kTop1:
    case RankBy::kCost:
    case RankBy::kSeconds:
      if (best) return {{"best_top1", &Bound::best_top1}};
      return {{"final_top1", &Bound::final_top1}};
    case RankBy::kLoss:
      if (best) return {{"lowest_loss", &Bound::lowest_loss}};
      return {{"final_loss", &Bound::final_loss}};
    case RankBy::kRobustness:
      if (best)
        return {{"best_difference_low", &Bound::best_difference_low},
                {"best_difference_high", &Bound::best_difference_high}};
      return {{"final_difference_low", &Bound::final_difference_low},
              {"final_difference_high", &Bound::final_difference_high}};
  }
  return {};
}

constexpr int kFirstColumn = 5;  // of those, after the ones that every key takes

std::string select_of(const std::vector<BoundColumn>& columns, bool counts_target) {
  std::string select = "SELECT policy, identity, runs, ";
  select += counts_target ? "met, target_iteration" : "0, NULL";
  for (const BoundColumn& column : columns) (select += ", ") += column.name;
  return select + " FROM bound";
}

Bound bound_at(const Rows& rows, const std::vector<BoundColumn>& columns, bool counts_target) {
  Bound bound;
  bound.runs = rows.integer(2);
  if (counts_target) {
    bound.met = rows.integer(3);
    if (!rows.null(4)) bound.target_iteration = rows.integer(4);
  }
  int place = kFirstColumn;
  for (const BoundColumn& column : columns) bound.*column.value = real_at(rows, place++);
  return bound;
}

constexpr RankKey kBestOfAll = {-1, 0, 0, 0};

}  // namespace

BoundOrder::BoundOrder(SQLite::Database& database, const PolicyFilter& filter, RankBy by,
                       RankAt at) {
  const auto identities = fitting_identities(database, filter);
  const std::vector<BoundColumn> columns = columns_of(by, at);
  const bool counts_target = by == RankBy::kCost || by == RankBy::kSeconds;
  const std::string select = select_of(columns, counts_target);
  Rows rows(database, select.c_str());
  std::int64_t last = 0;  // identity: mostly that of the row before
  auto found = identities.end();
  while (rows.next()) {
    if (const std::int64_t identity = rows.integer(1); identity != last) {
      last = identity;
      found = identities.find(identity);
    }
    if (found == identities.end()) continue;
    heap_.push_back(
        {found->second.exact ? bound_at(rows, columns, counts_target).key(by, at) : kBestOfAll,
         rows.integer(0)});
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void BoundOrder::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
  heap_.pop_back();
}

}  // namespace lrtune

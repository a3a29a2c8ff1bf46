// Policies by the best that they can be. Private to coordinator/store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <compare>
#include <cstdint>
#include <vector>

#include "coordinator/store/bound.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {

// A policy with the key of its ranking, or with one that is not above it. Equal keys keep the order
// of policies, as rank_repeated() does.
struct KeyedPolicy {
  RankKey key{};
  std::int64_t policy = 0;
  auto operator<=>(const KeyedPolicy&) const = default;
};

// The policies of which a trial has ended under a training identity that fits the filter, by the
// keys of their bounds, ascending; one policy may come several times. Making it reads all bounds,
// 16 bytes and a key each.
class BoundOrder {
 public:
  BoundOrder(SQLite::Database& database, const PolicyFilter& filter, RankBy by, RankAt at);

  bool empty() const { return heap_.empty(); }
  const KeyedPolicy& front() const { return heap_.front(); }
  void pop();

 private:
  std::vector<KeyedPolicy> heap_;
};

}  // namespace lrtune

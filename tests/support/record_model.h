// What a store must hold after some records, kept in memory: the contract of records.h and store.h,
// carried out the simplest way. And records to fill a store with.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "coordinator/core/records.h"

namespace lrtune {

// Applies `records` in order.
void apply_records(StoredState& state, std::span<const Record> records);

// A small finished campaign (8 trials in a search, 4 in a verification), always the same: all kinds
// of records, shared jobs, a trial that diverged, one that failed. tests/fixtures/store holds what
// each schema made of it.
std::vector<Record> sample_records();

// Random turns of a campaign that keep the references between rows whole. Every number is drawn
// over its whole range: doubles with all their bits, integers to 2^63 - 1.
class RecordSource {
 public:
  explicit RecordSource(std::uint64_t seed) : random_(seed) {}
  // The records of one turn, 1 to 12.
  std::vector<Record> turn();

 private:
  std::int64_t below(std::int64_t limit);  // 0 ... limit - 1
  double number();                         // finite
  Digest digest();
  std::string text();
  Policy policy();
  Record campaign(std::int64_t id);
  Record identity();
  PartMetrics metrics();
  Record trial(std::int64_t id);
  Record job(std::int64_t id);
  Record point();
  Record worker_order();
  Record any();

  std::mt19937_64 random_;
  std::int64_t campaigns_ = 0;
  std::int64_t jobs_ = 0;
  std::int64_t trials_ = 0;
  std::int64_t points_ = 0;
  std::vector<Digest> identities_;
};

}  // namespace lrtune

// What `{from: range-test}` in an experiment stands for: out of the range tests that a store
// keeps. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config/experiment.h"
#include "common/config/from_range_test.h"
#include "common/ids.h"
#include "common/result.h"
#include "coordinator/core/records.h"
#include "coordinator/tuning/range_test.h"

namespace lrtune {

struct StoredRange {
  RangeFinding found;           // for the experiment's own run; rates of four digits
  std::int64_t iterations = 0;  // of that run
  CampaignId campaign;          // the range test
  std::string name;             // its campaign's
  Digest hash;                  // likewise
};

// Of the newest range test that can tell both bounds, is done and trained as `experiment` does: the
// same `train` in normal form, but for device, threads and inexact. `command`: that makes one, for
// the error. Errors: there is none; none can tell both bounds, and why the newest cannot; `train`
// holds domains.
Result<StoredRange> stored_range(const StoredState& stored, const Experiment& experiment,
                                 const std::string& command);

// What each range test of the store (over a grid of rates) that is done found, the newest first.
// One that cannot be read, or measured nothing, is left out.
struct MeasuredRange {
  CampaignId campaign;
  std::string name;  // of the campaign
  TrainSpec train;
  LearningRateRange range;
};
std::vector<MeasuredRange> measured_ranges(const StoredState& stored);

// The error if there is none.
Error no_range_test(const std::string& command);

}  // namespace lrtune

// `lrtune policies top --weights` and `--pareto` as text and JSON. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/cli/terminal.h"
#include "coordinator/store/policy_queries.h"

namespace lrtune {

struct MixedView {
  std::string weights;    // empty: the Pareto view
  std::size_t limit = 0;  // 0: all
  bool json = false;
  RankAt at = RankAt::kBest;
};

// `entries` with a run each. Errors: about the weights.
Result<std::string> mixed_text(std::vector<PolicyEntry> entries, const MixedView& view,
                               const Terminal& terminal);

}  // namespace lrtune

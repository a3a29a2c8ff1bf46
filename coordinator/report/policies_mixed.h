// `lrtune policies top --weights` and `--pareto` as text, JSON and a chart. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/plot/chart.h"
#include "coordinator/report/terminal.h"
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

// The Pareto view of `entries`, with a run each: a point a policy, with its number, those that no
// other beats in colour. In the order of top-1 the first `named` of these (0: all) stand in the
// legend. Height: top-1. To the right: iterations to the target, or the size of the loss difference
// if all cost the same.
Chart pareto_chart(const std::vector<PolicyEntry>& entries, std::size_t named);

}  // namespace lrtune

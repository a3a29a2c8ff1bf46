// The log of a search that decides by results, as decisions about its trials: `proposed` and
// `promoted` as they were made, `observed` as a result came in. And of stop rules: `weighed` as a
// run became one that others are held against, `stopped_early`. Pure.
#pragma once

#include <array>
#include <string_view>

#include "common/result.h"
#include "coordinator/core/records.h"
#include "coordinator/search/adaptive_search.h"
#include "coordinator/search/stop_knowledge.h"

namespace lrtune {

inline constexpr std::string_view kProposed = "proposed";
inline constexpr std::string_view kPromoted = "promoted";
inline constexpr std::string_view kObserved = "observed";
inline constexpr std::string_view kWeighed = "weighed";
inline constexpr std::string_view kStoppedEarly = "stopped_early";

// The numbers of such a decision: candidate, rung, and what was known, or the value if there is
// one.
FlatJson log_numbers(const SearchDecision& decision);
FlatJson log_numbers(const RungResult& result);
FlatJson log_numbers(const EarlyStop& stop);

// Of the first three. Errors: the decision is none of them, or lacks a number.
Result<SearchLogEntry> log_entry(const DecisionRecord& decision);

}  // namespace lrtune

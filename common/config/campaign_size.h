// How large a campaign may be. Whoever writes or sends an experiment decides how much work it is
// for the coordinator and how much the store keeps; these are the bounds of both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/config/experiment.h"
#include "common/result.h"

namespace lrtune {

inline constexpr std::int64_t kMostCandidates = 1'000'000;  // of a search
// Of a campaign: its candidates, and what verification and tolerance make of the best.
inline constexpr std::int64_t kMostTrials = 1'000'000;
inline constexpr std::size_t kMostPolicies = 10'000;  // under search.policies
inline constexpr std::size_t kMostLabelBytes = 200;   // of a policy's `name`
// Of the normal form, which an extension makes longer each time.
inline constexpr std::size_t kMostNormalBytes = 4 * 1024 * 1024;
// Every domain is tried with every other when a file is read. So many JSON values are read for it
// at most; it takes a second or two.
inline constexpr std::int64_t kMostTriedValues = 3'000'000;

// Combinations of a policy's and `train`'s choices in a grid; none if there are more than
// kMostCandidates, so that no product overflows.
std::optional<std::int64_t> combinations(const Template& policy, const Template& train);

// New segments that a tree search tries for each path, 1 or more. Errors: as candidate_count().
Result<std::int64_t> segment_tries(const Experiment& experiment);

// How many candidates the search has; a tree search at most. An error if a grid or a tree has more
// than kMostCandidates.
Result<std::int64_t> candidate_count(const Experiment& experiment);

// Errors, with a path: too many candidates, or too many trials with verification and tolerance.
Result<void> check_campaign_size(const Experiment& experiment);

}  // namespace lrtune

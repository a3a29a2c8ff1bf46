#include "common/config/campaign_size.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/json_reader.h"

namespace lrtune {

std::optional<std::int64_t> combinations(const Template& policy, const Template& train) {
  std::int64_t product = 1;
  for (const Template* part : {&policy, &train}) {
    for (const Template::Hole& hole : part->holes) {
      product *= static_cast<std::int64_t>(hole.domain.choices.size());
      if (product > kMostCandidates) return std::nullopt;
    }
  }
  return product;
}

namespace {

Result<std::int64_t> all_combinations(const Experiment& experiment) {
  std::int64_t total = 0;
  for (std::size_t i = 0; i < experiment.policies.size(); ++i) {
    const auto count = combinations(experiment.policies[i], experiment.train);
    if (!count || total + *count > kMostCandidates) {
      return fail(
          fmt::format("the grid has more than {} candidates; use method random, or fewer choices",
                      kMostCandidates),
          child_path("/search/policies", i));
    }
    total += *count;
  }
  return total;
}

// All paths that it may come to, if as many go on from each boundary as may.
Result<std::int64_t> candidates_of_tree(const Experiment& experiment) {
  const auto tries = segment_tries(experiment);
  if (!tries) return tries;
  const double levels =
      1 + static_cast<double>(experiment.keep) * static_cast<double>(experiment.boundaries.size());
  if (static_cast<double>(*tries) * levels > static_cast<double>(kMostCandidates)) {
    return fail(
        fmt::format(
            "the tree may have {:.0f} candidates, {} new ones for each path that goes on; at "
            "most {} are allowed",
            static_cast<double>(*tries) * levels, *tries, kMostCandidates),
        "/search/keep");
  }
  return *tries * static_cast<std::int64_t>(levels);
}

}  // namespace

Result<std::int64_t> segment_tries(const Experiment& experiment) {
  if (experiment.drawn_by == SearchMethod::kGrid) return all_combinations(experiment);
  return experiment.tries;
}

Result<std::int64_t> candidate_count(const Experiment& experiment) {
  if (draws(experiment.method)) return experiment.count;
  if (experiment.method == SearchMethod::kTree) return candidates_of_tree(experiment);
  return all_combinations(experiment);
}

Result<void> check_campaign_size(const Experiment& experiment) {
  const auto candidates = candidate_count(experiment);
  if (!candidates) return tl::unexpected(candidates.error());
  const std::int64_t verified =
      std::min<std::int64_t>(experiment.verify_top, *candidates) * experiment.verify_repeats;
  if (*candidates + verified > kMostTrials) {
    return fail(fmt::format("verification adds {} trials to the {} of the search; a campaign may "
                            "have at most {}",
                            verified, *candidates, kMostTrials),
                "/verify");
  }
  const std::int64_t scaled = std::min<std::int64_t>(experiment.tolerance_top, *candidates) *
                              std::ssize(experiment.tolerance_scales);
  if (*candidates + verified + scaled > kMostTrials) {
    return fail(fmt::format("tolerance adds {} trials to the {} of search and verification; a "
                            "campaign may have at most {}",
                            scaled, *candidates + verified, kMostTrials),
                "/tolerance");
  }
  return {};
}

}  // namespace lrtune

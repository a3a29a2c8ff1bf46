// Search methods: which candidate comes as number i. Pure functions of the experiment; whoever
// asks, in whatever order, gets the same candidate i. Grid, list, random and Sobol need no
// observation of results; halving and ASHA draw their candidates as random or Sobol. What TPE
// proposes follows from results (adaptive_search.h): here it is a random search over its space.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/config/campaign_size.h"
#include "common/config/experiment.h"

namespace lrtune {

// One draw: an experiment's `train` and one of its policies with a value in every hole. Lengths may
// still be in epochs: policy_from_json with the facts of the data resolves them.
struct Candidate {
  nlohmann::json train;
  nlohmann::json policy;
};

// Candidate `index`, 0 <= index < candidate_count. list and grid: the policies in the order of the
// file, each with all combinations of its choices and of train's, the last hole fastest. random: a
// policy, drawn uniformly, and its holes and train's, by counter-based draws keyed
// (experiment.seed, index, hole). sobol: the same, with point `index` of a shifted Sobol sequence
// in the place of the draws (sobol.h).
Candidate candidate(const Experiment& experiment, std::int64_t index);

// The policy of that candidate alone: all of it that differs where `train` holds no domain.
nlohmann::json candidate_policy(const Experiment& experiment, std::int64_t index);

// The `name` of candidate `index`'s policy in the file, empty if it has none, if TPE chose among
// several, or a tree composed it: policies of one template share it.
std::string candidate_name(const Experiment& experiment, std::int64_t index);

// Coordinates in [0, 1) of point `index` of the experiment's Sobol sequence. The dimensions are the
// same for every candidate: the choice of a policy, then `train`'s holes, then the policy's, hole j
// of each policy on the same one. A policy with fewer holes leaves the last ones unused.
std::vector<double> sobol_units(const Experiment& experiment, std::uint64_t index);
// The place in Experiment::policies that the first of them chooses.
std::size_t sobol_policy(const Experiment& experiment, const std::vector<double>& units);

}  // namespace lrtune
